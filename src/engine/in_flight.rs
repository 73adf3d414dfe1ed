//! How many requests may be under way: more while that helps, fewer when the other side cannot keep up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The limit after congestion, as a share of the limit before.
const DECREASE: f64 = 0.7;

/// An adaptive bound on concurrent requests (additive increase, multiplicative decrease).
#[derive(Debug)]
pub struct InFlight {
    state: Mutex<State>,
    freed: Notify,
    max: usize,
}

#[derive(Debug)]
struct State {
    limit: f64,
    in_use: usize,
    /// Answers still to come of requests that were under way at the last decrease: they tell of the same congestion.
    ignored: usize,
}

/// The right to have one request under way; given back on drop.
#[derive(Debug)]
pub struct Permit {
    owner: Arc<InFlight>,
}

impl InFlight {
    /// Begins with `initial` requests and never allows more than `max`.
    pub fn new(initial: usize, max: usize) -> Self {
        let state = State { limit: initial.max(1) as f64, in_use: 0, ignored: 0 };
        Self { state: Mutex::new(state), freed: Notify::new(), max: max.max(1) }
    }

    /// Waits for a place.
    pub async fn acquire(self: &Arc<Self>) -> Permit {
        loop {
            let freed = self.freed.notified();
            {
                let mut state = self.lock();
                if state.in_use < state.limit as usize {
                    state.in_use += 1;
                    return Permit { owner: self.clone() };
                }
            }
            freed.await;
        }
    }

    /// A request was answered well: while all places are taken, one more place for each full round of such answers.
    pub fn success(&self) {
        let mut state = self.lock();
        state.ignored = state.ignored.saturating_sub(1);
        if state.in_use >= state.limit as usize {
            state.limit = (state.limit + 1.0 / state.limit).min(self.max as f64);
        }
    }

    /// A request was throttled or not answered in time: fewer places, once for all requests now under way.
    pub fn congested(&self) {
        let mut state = self.lock();
        if state.ignored > 0 {
            state.ignored -= 1;
            return;
        }
        state.ignored = state.in_use.saturating_sub(1);
        state.limit = (state.limit * DECREASE).max(1.0);
    }

    /// Requests allowed at this moment.
    pub fn limit(&self) -> usize {
        self.lock().limit as usize
    }

    /// Requests under way.
    pub fn in_use(&self) -> usize {
        self.lock().in_use
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.owner.lock().in_use -= 1;
        self.owner.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn places_are_taken_and_given_back() {
        let requests = Arc::new(InFlight::new(2, 4));
        let first = requests.acquire().await;
        let _second = requests.acquire().await;
        let third = tokio::time::timeout(std::time::Duration::from_secs(1), requests.acquire()).await;
        assert!(third.is_err(), "no third place");
        drop(first);
        let _third = requests.acquire().await;
        assert_eq!(requests.in_use(), 2);
    }

    #[tokio::test]
    async fn a_full_house_that_is_answered_well_grows_by_one_a_round() {
        let requests = Arc::new(InFlight::new(2, 3));
        let _permits = (requests.acquire().await, requests.acquire().await);
        for _ in 0..3 {
            requests.success();
        }
        assert_eq!(requests.limit(), 3);
        let _third = requests.acquire().await;
        for _ in 0..30 {
            requests.success();
        }
        assert_eq!(requests.limit(), 3, "never over the maximum");
    }

    #[tokio::test]
    async fn one_congestion_counts_once_for_all_requests_under_way() {
        let requests = Arc::new(InFlight::new(10, 10));
        let mut permits = Vec::new();
        for _ in 0..10 {
            permits.push(requests.acquire().await);
        }
        for _ in 0..10 {
            requests.congested();
        }
        assert_eq!(requests.limit(), 7);
        for _ in 0..1000 {
            requests.congested();
        }
        assert!(requests.limit() >= 1);
    }
}
