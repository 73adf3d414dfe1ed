//! The service's own time, from the `Date` header of an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodbstreams::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_dynamodbstreams::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// Not a time that any service answers at.
const UNKNOWN: i64 = 0;

/// Takes the time out of the answer to the call that it is added to. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct AnswerDate(Arc<AtomicI64>);

impl AnswerDate {
    /// In milliseconds since 1970, rounded down to a second. This machine's time if the answer told none.
    pub fn get_or_now_ms(&self) -> i64 {
        match self.0.load(Ordering::Relaxed) {
            UNKNOWN => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
            }
            date => date,
        }
    }
}

#[dyn_dispatch_hint]
impl Intercept for AnswerDate {
    fn name(&self) -> &'static str {
        "AnswerDate"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok()?.to_millis().ok());
        self.0.store(date.unwrap_or(UNKNOWN), Ordering::Relaxed);
        Ok(())
    }
}
