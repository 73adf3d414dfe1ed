use std::sync::Arc;

use super::*;

const WRITE: Side = Side::Write;

async fn spend(limiter: &Limiter, total: f64, each: f64) -> f64 {
    let begun = Instant::now();
    let mut spent = 0.0;
    while spent < total {
        limiter.acquire(each).await;
        limiter.settle(each, each);
        spent += each;
    }
    begun.elapsed().as_secs_f64()
}

#[tokio::test(start_paused = true)]
async fn a_fixed_rate_is_held_within_a_hundredth_at_every_scale() {
    for (rate, each) in [(0.1, 1.0), (0.5, 0.5), (10.0, 0.5), (100.0, 256.0), (1e3, 25.0), (4e4, 50.0), (1e6, 50.0)] {
        let limiter = Limiter::new(WRITE, Rate::Fixed(rate));
        let total = (rate * 60.0 / each).ceil() * each;
        let seconds = spend(&limiter, total, each).await;
        let ratio = total / seconds / rate;
        assert!((0.99..=1.01).contains(&ratio), "{rate} by {each}: {ratio}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_answer_reports_is_what_counts() {
    for (estimated, consumed) in [(1.0, 20.0), (20.0, 1.5), (0.5, 0.55)] {
        let limiter = Limiter::new(Side::Read, Rate::Fixed(100.0));
        let begun = Instant::now();
        let mut total = 0.0;
        while total < 6000.0 {
            limiter.acquire(estimated).await;
            limiter.settle(estimated, consumed);
            total += consumed;
        }
        let rate = total / begun.elapsed().as_secs_f64();
        assert!((98.0..=102.0).contains(&rate), "{estimated} for {consumed}: {rate} a second");
    }
}

#[tokio::test(start_paused = true)]
async fn idle_time_is_no_credit_beyond_the_burst() {
    let limiter = Limiter::new(WRITE, Rate::Fixed(100.0));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(spend(&limiter, 1000.0, 10.0).await >= 9.89);
}

#[tokio::test(start_paused = true)]
async fn failed_requests_together_give_back_one_estimate_and_the_burst() {
    let limiter = Limiter::new(WRITE, Rate::Fixed(100.0));
    spend(&limiter, 1000.0, 10.0).await;
    (0..100).for_each(|_| limiter.settle(10.0, 0.0));
    assert!(spend(&limiter, 1000.0, 10.0).await >= 9.69);
}

#[tokio::test(start_paused = true)]
async fn no_limit_never_waits() {
    let limiter = Limiter::new(WRITE, Rate::Unlimited);
    assert_eq!(spend(&limiter, 1e7, 1e3).await, 0.0);
    assert_eq!(limiter.allowed(), None);
}

#[tokio::test(start_paused = true)]
async fn tasks_are_served_in_order_and_seen_waiting() {
    let limiter = Arc::new(Limiter::new(WRITE, Rate::Fixed(10.0)));
    let served = Arc::new(Mutex::new(Vec::new()));
    assert!(!limiter.is_waiting());
    let tasks: Vec<_> = (0..5)
        .map(|number| {
            let (limiter, served) = (limiter.clone(), served.clone());
            tokio::spawn(async move {
                limiter.acquire(f64::from(5 - number)).await;
                served.lock().unwrap().push(number);
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(limiter.is_waiting());
    for task in tasks {
        task.await.unwrap();
    }
    assert!(!limiter.is_waiting());
    assert_eq!(*served.lock().unwrap(), [0, 1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_rate_gives_no_burst_and_reaches_who_waits() {
    let limiter = Arc::new(Limiter::new(WRITE, Rate::Fixed(1.0)));
    let begun = Instant::now();
    let waiter = tokio::spawn({
        let limiter = limiter.clone();
        async move { limiter.acquire(100.0).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    limiter.set_rate(Rate::Fixed(99.0));
    waiter.await.unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    assert!((1.9..=2.1).contains(&seconds), "{seconds}");
    for round in 0..100 {
        limiter.set_rate(Rate::Fixed(if round % 2 == 0 { 50.0 } else { 150.0 }));
        spend(&limiter, 10.0, 10.0).await;
    }
    let seconds = begun.elapsed().as_secs_f64() - seconds;
    assert!((13.0..=13.7).contains(&seconds), "50 × 10/50 s and 50 × 10/150 s, not {seconds}");
    limiter.set_rate(Rate::Unlimited);
    assert_eq!(spend(&limiter, 1e6, 1e3).await, 0.0);
    limiter.set_rate(Rate::Fixed(100.0));
    assert!(spend(&limiter, 100.0, 10.0).await >= 0.99);
}

#[tokio::test(start_paused = true)]
async fn an_acquisition_that_is_dropped_takes_its_debt_with_it() {
    let limiter = Limiter::new(WRITE, Rate::Fixed(10.0));
    let begun = Instant::now();
    for _ in 0..10 {
        let acquired = tokio::time::timeout(Duration::from_millis(100), limiter.acquire(1000.0)).await;
        assert!(acquired.is_err());
    }
    limiter.acquire(10.0).await;
    let seconds = begun.elapsed().as_secs_f64();
    assert!((0.95..=2.0).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn auto_doubles_while_it_holds_the_work_back_and_only_then() {
    let limiter = Limiter::new(WRITE, Rate::Auto { start: 100.0 });
    for _ in 0..100 {
        limiter.acquire(1.0).await;
        limiter.settle(1.0, 1.0);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(limiter.allowed(), Some(100.0), "5 s of a fifth of the rate");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        spend(&limiter, 10.0, 10.0).await;
    }
    let rate = limiter.allowed().unwrap();
    assert!((600.0..=850.0).contains(&rate), "{rate} after 3 s");
}

#[tokio::test(start_paused = true)]
async fn auto_slows_down_once_per_reaction_time() {
    let limiter = Limiter::new(WRITE, Rate::Auto { start: 1000.0 });
    (0..50).for_each(|_| limiter.throttled());
    assert_eq!(limiter.allowed(), Some(500.0));
    let fixed = Limiter::new(WRITE, Rate::Fixed(1000.0));
    fixed.throttled();
    assert_eq!(fixed.allowed(), Some(1000.0), "the operator's rate stays");
}

#[tokio::test(start_paused = true)]
async fn auto_measures_the_table_between_two_throttles() {
    let limiter = Limiter::new(WRITE, Rate::Auto { start: 4000.0 });
    limiter.throttled();
    tokio::time::sleep(Duration::from_secs(1)).await;
    limiter.settle(0.0, 1000.0);
    limiter.throttled();
    assert_eq!(limiter.allowed(), Some(970.0), "3 % under what it consumed in a second");
}

#[tokio::test(start_paused = true)]
async fn auto_recovers_from_throttles_that_had_another_cause_than_the_rate() {
    let limiter = Limiter::new(WRITE, Rate::Auto { start: 1000.0 });
    for _ in 0..100 {
        limiter.throttled();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(limiter.allowed(), Some(1.0));
    let begun = Instant::now();
    while limiter.allowed().unwrap() < 1000.0 {
        spend(&limiter, 1.0, 1.0).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    assert!(seconds < 30.0, "{seconds}");
}
