//! Which endpoints may be talked to: items travel in clear text over `http://`, which is for emulators on this machine.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::error::{Error, ErrorKind, Result};

/// Refuses what is no URL, holds a password, or would send items in clear text over a network.
pub fn check_endpoint(text: &str) -> Result<()> {
    const EXAMPLE: &str = "write it like https://dynamodb.us-east-1.amazonaws.com";
    // What stands before an `@` may be a password, also in a text that is no URL.
    let shown = if text.contains('@') { "(not shown: it contains an `@`)" } else { text };
    let refuse =
        |why: &str, hint: &str| Err(Error::new(ErrorKind::Usage, format!("endpoint {shown}: {why}")).hint(hint));
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return refuse(&error.to_string(), EXAMPLE),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("contains a user or password", "use a profile or variables");
    }
    if url.host().is_none() {
        return refuse("has no host", EXAMPLE);
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        "http" => refuse("http:// is for loopback only", "use https://"),
        _ => refuse("is neither https nor http", "use https://"),
    }
}

/// Where to reach DynamoDB Streams, given where DynamoDB is reached; `None` is the region's public endpoint.
///
/// AWS serves them at addresses of their own, everyone else (an emulator) at one. `flag` is the endpoint of the command
/// line or the configuration, `dynamodb` and `streams` those of environment and profile for each service.
pub fn streams_endpoint(flag: Option<&str>, dynamodb: Option<&str>, streams: Option<&str>) -> Option<String> {
    let serves_both = |text: &&str| !is_of_aws(text);
    let endpoint = flag.filter(serves_both).or(streams).or_else(|| flag.or(dynamodb).filter(serves_both));
    endpoint.map(str::to_owned)
}

fn is_of_aws(text: &str) -> bool {
    const SUFFIXES: [&str; 5] =
        [".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws", ".api.amazonwebservices.com.cn"];
    let url = Url::parse(text);
    url.is_ok_and(|url| url.host_str().is_some_and(|host| SUFFIXES.iter().any(|suffix| host.ends_with(suffix))))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => Ipv4Addr::is_loopback(&address),
        Some(Host::Ipv6(address)) => Ipv6Addr::is_loopback(&address),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_reached_where_its_table_is_unless_that_is_at_aws() {
        let emulator = Some("http://127.0.0.1:8000");
        let other = Some("http://localhost:4566");
        let aws = Some("https://dynamodb.eu-west-1.amazonaws.com");
        let streams = Some("https://streams.dynamodb.eu-west-1.amazonaws.com");
        let at = |flag, dynamodb, streams| streams_endpoint(flag, dynamodb, streams);
        let text = |text: Option<&str>| text.map(str::to_owned);
        assert_eq!(at(None, None, None), None);
        assert_eq!(at(emulator, None, None), text(emulator));
        assert_eq!(at(emulator, aws, streams), text(emulator));
        assert_eq!(at(None, emulator, None), text(emulator));
        assert_eq!(at(None, emulator, other), text(other));
        assert_eq!(at(aws, None, None), None);
        assert_eq!(at(aws, emulator, None), None);
        assert_eq!(at(aws, None, streams), text(streams));
        assert_eq!(at(None, aws, None), None);
    }
}
