//! Which request meets which fault.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::fault::Fault;
use super::http::Message;

/// A request as a plan sees it.
pub struct Call<'a> {
    /// Such as `Scan`.
    pub operation: &'a str,
    /// How many requests of this operation came before.
    pub ordinal: u64,
    /// The request itself.
    pub request: &'a Message,
}

/// Decides about each request as it comes.
pub type Plan = Box<dyn FnMut(&Call) -> Option<Fault> + Send>;

/// No faults.
pub fn pass() -> Plan {
    Box::new(|_| None)
}

/// The same fault for every request of every operation.
pub fn always(fault: Fault) -> Plan {
    Box::new(move |_| Some(fault))
}

/// The fault for one request in `period` of an operation, the first of them among the first `period`.
pub fn every(operation: &'static str, period: u64, fault: Fault) -> Plan {
    Box::new(move |call| (call.operation == operation && call.ordinal % period == period / 2).then_some(fault))
}

/// The fault for the first `count` requests of an operation.
pub fn first(operation: &'static str, count: u64, fault: Fault) -> Plan {
    Box::new(move |call| (call.operation == operation && call.ordinal < count).then_some(fault))
}

/// The fault for the next `count` requests of an operation, counted from when the plan is followed.
pub fn next(operation: &'static str, count: u64, fault: Fault) -> Plan {
    let mut left = count;
    Box::new(move |call| {
        let is_met = call.operation == operation && left > 0;
        left -= u64::from(is_met);
        is_met.then_some(fault)
    })
}

/// One of `faults` for a share of all Scan and BatchWriteItem requests. The seed fixes the sequence of decisions.
pub fn random(seed: u64, share: f64, faults: Vec<Fault>) -> Plan {
    random_among(&["Scan", "BatchWriteItem"], seed, share, faults)
}

/// One of `faults` for a share of all requests of these operations. The seed fixes the sequence of decisions.
pub fn random_among(operations: &'static [&'static str], seed: u64, share: f64, faults: Vec<Fault>) -> Plan {
    let mut rng = StdRng::seed_from_u64(seed);
    Box::new(move |call| {
        if !operations.contains(&call.operation) || !rng.random_bool(share) {
            return None;
        }
        let possible: Vec<_> = faults.iter().filter(|fault| fault.concerns(call.operation)).collect();
        (!possible.is_empty()).then(|| *possible[rng.random_range(0..possible.len())])
    })
}

/// The fault for every request whose body contains `text`.
pub fn containing(text: &'static str, fault: Fault) -> Plan {
    Box::new(move |call| String::from_utf8_lossy(&call.request.body).contains(text).then_some(fault))
}
