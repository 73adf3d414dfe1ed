//! What kind of failure an answer, or its absence, is.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde::Deserialize;

use crate::error::{Error, ErrorKind};

/// Longest part of a foreign text that a message quotes, in characters.
const QUOTED: usize = 300;

/// DynamoDB's error document.
#[derive(Deserialize)]
struct ErrorAnswer {
    #[serde(rename = "__type", default)]
    kind: String,
    #[serde(alias = "Message", default)]
    message: String,
}

/// The error in an answer whose status is not 200.
pub fn from_answer(status: u16, body: &[u8]) -> Error {
    match serde_json::from_slice::<ErrorAnswer>(body) {
        Ok(answer) if !answer.kind.is_empty() => {
            let code = answer.kind.rsplit('#').next().unwrap_or_default();
            from_code(status, code, &answer.message)
        }
        _ => not_dynamodb(status),
    }
}

/// The error in a typed or raw call of the SDK.
pub fn from_sdk<E>(error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    if has_credentials_error(&error) {
        let message = format!("credentials could not be loaded: {}", chain(&error));
        return credentials_hint(Error::new(ErrorKind::CredentialsExpired, message));
    }
    match &error {
        SdkError::TimeoutError(_) => timed_out(),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => timed_out(),
        SdkError::DispatchFailure(_) => {
            Error::new(ErrorKind::Unreachable, format!("the endpoint did not answer: {}", chain(&error)))
                .hint("check the endpoint's address, the network and whether the service is up")
        }
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            match service.err().code() {
                Some(code) => from_code(status, code, service.err().message().unwrap_or_default()),
                None => not_dynamodb(status),
            }
        }
        SdkError::ResponseError(response) => {
            if response.raw().body().bytes().is_none() {
                // The connection ended inside the body.
                return Error::new(ErrorKind::MalformedAnswer, format!("the answer broke off: {}", chain(&error)))
                    .hint("check the network and whatever stands between here and DynamoDB");
            }
            not_dynamodb(response.raw().status().as_u16())
        }
        _ => Error::new(ErrorKind::Internal, chain(&error)),
    }
}

/// An error of a call to a stream: what cannot be found is no table there, but the stream or one of its shards.
pub fn on_stream(error: Error) -> Error {
    match error.kind() {
        ErrorKind::TableMissing => Error::new(ErrorKind::PositionLost, error.message()),
        _ => error,
    }
}

/// Where to look when no credentials are found or they are refused.
pub fn credentials_hint(error: Error) -> Error {
    error.hint(
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile (--profile, AWS_PROFILE), or log in again \
         (`aws sso login`); an emulator takes any values",
    )
}

fn timed_out() -> Error {
    Error::new(ErrorKind::TimedOut, "no complete answer within the time for one request")
        .hint("check the endpoint and the network, or allow more with --request-timeout")
}

fn not_dynamodb(status: u16) -> Error {
    let kind = if status >= 500 { ErrorKind::ServerFault } else { ErrorKind::MalformedAnswer };
    Error::new(kind, format!("the answer (HTTP {status}) is not DynamoDB's"))
        .hint("check that the endpoint is a DynamoDB endpoint, without a proxy or login page in front of it")
}

fn from_code(status: u16, code: &str, message: &str) -> Error {
    let kind = match code {
        "ProvisionedThroughputExceededException"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "LimitExceededException" => ErrorKind::Throttled,
        "ValidationException" | "ItemCollectionSizeLimitExceededException" => ErrorKind::Rejected,
        "ResourceNotFoundException" => ErrorKind::TableMissing,
        "ExpiredIteratorException" => ErrorKind::IteratorExpired,
        "TrimmedDataAccessException" => ErrorKind::PositionLost,
        "ExpiredTokenException" | "ExpiredToken" | "RequestExpired" => ErrorKind::CredentialsExpired,
        "AccessDeniedException"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "IncompleteSignatureException"
        | "MissingAuthenticationTokenException"
        | "MissingAuthenticationToken"
        | "InvalidClientTokenId"
        | "OptInRequired" => ErrorKind::Access,
        "ResourceInUseException" => ErrorKind::TableUnfit,
        _ if status == 413 => ErrorKind::Rejected,
        _ if status >= 500 || code == "ReplicatedWriteConflictException" => ErrorKind::ServerFault,
        _ => ErrorKind::Rejected,
    };
    let error = Error::new(kind, format!("{code}: {}", quoted(message)));
    match kind {
        ErrorKind::Access | ErrorKind::CredentialsExpired => credentials_hint(error),
        ErrorKind::TableMissing => error.hint("check the table's name, the region and the account of the profile"),
        _ => error,
    }
}

/// A foreign text, shortened and without control characters, so that it cannot drive a terminal.
fn quoted(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(QUOTED).collect()
}

fn chain(error: &(impl StdError + Send + Sync)) -> String {
    let full = quoted(&DisplayErrorContext(error).to_string());
    // The context ends in a debug dump of the whole error, which no operator wants to read.
    let dump = ["DispatchFailure", "ResponseError", "TimeoutError", "ConstructionFailure", "ServiceError"];
    let end = dump.iter().filter_map(|name| full.find(&format!(" ({name}("))).min();
    full[..end.unwrap_or(full.len())].to_owned()
}

fn has_credentials_error(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<CredentialsError>() {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart_by_their_type() {
        let kind = |status, body: &str| from_answer(status, body.as_bytes()).kind();
        let typed = |name: &str| format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{name}","message":"m"}}"#);
        assert_eq!(kind(400, &typed("ProvisionedThroughputExceededException")), ErrorKind::Throttled);
        assert_eq!(kind(400, &typed("ThrottlingException")), ErrorKind::Throttled);
        assert_eq!(kind(400, &typed("ValidationException")), ErrorKind::Rejected);
        assert_eq!(kind(400, &typed("ExpiredTokenException")), ErrorKind::CredentialsExpired);
        assert_eq!(kind(400, &typed("LimitExceededException")), ErrorKind::Throttled);
        assert_eq!(kind(400, &typed("ExpiredIteratorException")), ErrorKind::IteratorExpired);
        assert_eq!(kind(400, &typed("TrimmedDataAccessException")), ErrorKind::PositionLost);
        assert_eq!(kind(500, &typed("InternalServerError")), ErrorKind::ServerFault);
        assert_eq!(kind(503, "<html>"), ErrorKind::ServerFault);
        assert_eq!(kind(404, "<html>"), ErrorKind::MalformedAnswer);
    }

    #[test]
    fn a_missing_resource_is_a_table_or_what_a_stream_no_longer_has() {
        let missing = br#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"m"}"#;
        assert_eq!(from_answer(400, missing).kind(), ErrorKind::TableMissing);
        let error = on_stream(from_answer(400, missing));
        assert_eq!((error.kind(), error.remedy()), (ErrorKind::PositionLost, None));
    }

    #[test]
    fn terminal_escapes_of_a_service_are_not_repeated() {
        let error = from_answer(400, br#"{"__type":"ValidationException","message":"a\u001b[31mb"}"#);
        assert_eq!(error.message(), "ValidationException: a[31mb");
    }
}
