//! The emulator of the suite.
#![allow(dead_code, reason = "the suite uses what is not used here")]

#[path = "../suite/support/http.rs"]
pub mod http;
#[path = "../suite/support/local.rs"]
pub mod local;

/// The access key of every test.
pub const ACCESS_KEY: &str = "tableferrytests";

/// The region of every test.
pub const REGION: &str = "us-east-1";
