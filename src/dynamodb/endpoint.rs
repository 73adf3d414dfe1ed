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
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => Ipv4Addr::is_loopback(&address),
        Some(Host::Ipv6(address)) => Ipv6Addr::is_loopback(&address),
        None => return refuse("has no host", EXAMPLE),
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback => Ok(()),
        "http" => refuse("http:// is for loopback only", "use https://"),
        _ => refuse("is neither https nor http", "use https://"),
    }
}
