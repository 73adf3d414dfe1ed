//! How many requests may be under way at once: more while that helps, fewer when the other side is slow or throttles.
//!
//! Additive increase: while every place was taken, one more place for each round of good answers. Multiplicative decrease:
//! × 0.7 at the first sign of congestion, which then counts for all requests that were under way with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places kept after congestion: TCP CUBIC's figure, a quick retreat that is made up for within a few rounds.
const DECREASE: f64 = 0.7;

/// An adaptive cap of concurrent requests.
#[derive(Debug)]
pub struct InFlight {
    /// Serves waiters in the order in which they came.
    places: Arc<Semaphore>,
    state: Mutex<State>,
    max: usize,
}

#[derive(Debug)]
struct State {
    limit: usize,
    in_use: usize,
    /// The most places in use since the limit last changed.
    peak: usize,
    /// Good answers since the limit last changed, counted while every place was taken.
    successes: usize,
    /// Places to be given up as they come back, because the limit fell below what was in use.
    surplus: usize,
    /// Requests of the generation that met the last congestion and that are still to come back.
    generation: usize,
}

/// The right to have one request under way; given back on drop.
#[derive(Debug)]
pub struct Permit {
    owner: Arc<InFlight>,
    place: Option<OwnedSemaphorePermit>,
}

impl InFlight {
    /// Begins with `initial` requests and never allows more than `max`, nor fewer than one.
    pub fn new(initial: usize, max: usize) -> Self {
        let max = max.clamp(1, Semaphore::MAX_PERMITS);
        let limit = initial.clamp(1, max);
        let state = State { limit, in_use: 0, peak: 0, successes: 0, surplus: 0, generation: 0 };
        Self { places: Arc::new(Semaphore::new(limit)), state: Mutex::new(state), max }
    }

    /// Waits for a place; first come, first served.
    pub async fn acquire(self: &Arc<Self>) -> Permit {
        let place = self.places.clone().acquire_owned().await.expect("the semaphore is never closed");
        let mut state = self.lock();
        state.in_use += 1;
        state.peak = state.peak.max(state.in_use);
        Permit { owner: self.clone(), place: Some(place) }
    }

    /// A request was answered well: one more place for each round of such answers, while every place is taken.
    pub fn success(&self) {
        let mut state = self.lock();
        if state.peak < state.limit || state.limit >= self.max {
            return;
        }
        state.successes += 1;
        if state.successes >= state.limit {
            let limit = state.limit + 1;
            state.change_limit(limit);
            match state.surplus {
                0 => self.places.add_permits(1),
                _ => state.surplus -= 1,
            }
        }
    }

    /// A request was throttled or not answered in time: fewer places, once for all requests now under way.
    pub fn congested(&self) {
        let mut state = self.lock();
        if state.generation > 0 {
            return;
        }
        state.generation = state.in_use;
        let limit = ((state.limit as f64 * DECREASE) as usize).max(1);
        let fewer = state.limit - limit;
        state.surplus += fewer - self.places.forget_permits(fewer);
        state.change_limit(limit);
    }

    /// Requests allowed at once.
    pub fn limit(&self) -> usize {
        self.lock().limit
    }

    /// Requests under way; for a while more than the limit after it fell.
    pub fn in_use(&self) -> usize {
        self.lock().in_use
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is counters that are whole after every method, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn change_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.successes = 0;
        self.peak = self.in_use;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.owner.lock();
        state.in_use -= 1;
        state.generation = state.generation.saturating_sub(1);
        if state.surplus > 0
            && let Some(place) = self.place.take()
        {
            state.surplus -= 1;
            place.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn fill(requests: &Arc<InFlight>) -> Vec<Permit> {
        let mut permits = Vec::new();
        while let Ok(permit) = timeout(Duration::from_millis(1), requests.acquire()).await {
            permits.push(permit);
        }
        permits
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_taken_and_given_back() {
        let requests = Arc::new(InFlight::new(2, 4));
        let mut permits = fill(&requests).await;
        assert_eq!(permits.len(), 2);
        permits.pop();
        assert_eq!(requests.in_use(), 1);
        assert_eq!(fill(&requests).await.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_house_that_is_answered_well_grows_by_one_a_round() {
        let requests = Arc::new(InFlight::new(2, 4));
        let mut permits = fill(&requests).await;
        for (successes, limit) in [(1, 2), (1, 3)] {
            (0..successes).for_each(|_| requests.success());
            assert_eq!(requests.limit(), limit);
        }
        (0..30).for_each(|_| requests.success());
        assert_eq!(requests.limit(), 3, "the new place is still free");
        permits.extend(fill(&requests).await);
        (0..30).for_each(|_| requests.success());
        assert_eq!(requests.limit(), 4, "one round, one place");
        permits.extend(fill(&requests).await);
        (0..30).for_each(|_| requests.success());
        assert_eq!(requests.limit(), 4, "never over the maximum");
    }

    #[tokio::test(start_paused = true)]
    async fn congestion_counts_once_for_all_requests_under_way() {
        let requests = Arc::new(InFlight::new(10, 10));
        let permits = fill(&requests).await;
        (0..10).for_each(|_| requests.congested());
        assert_eq!(requests.limit(), 7);
        drop(permits);
        assert_eq!(fill(&requests).await.len(), 7, "three places were given up as they came back");
        requests.congested();
        assert_eq!(requests.limit(), 4, "the next generation counts again");
    }

    #[tokio::test(start_paused = true)]
    async fn one_place_is_always_left() {
        let requests = Arc::new(InFlight::new(0, 0));
        for _ in 0..100 {
            let _permit = requests.acquire().await;
            requests.congested();
        }
        assert_eq!(requests.limit(), 1);
        assert_eq!(fill(&requests).await.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_is_let_in_when_the_limit_rises() {
        let requests = Arc::new(InFlight::new(1, 2));
        let _first = requests.acquire().await;
        let second = tokio::spawn({
            let requests = requests.clone();
            async move { requests.acquire().await }
        });
        tokio::task::yield_now().await;
        requests.success();
        assert!(timeout(Duration::from_secs(1), second).await.is_ok());
    }
}
