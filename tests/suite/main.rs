//! The real `tableferry` binary against DynamoDB emulators on loopback: what it copies, what it refuses, what it
//! survives.
//!
//! [`support`] holds the servers, the fault proxy and the oracle; the other modules are the tests. The oracle shares no
//! code with the program: it speaks DynamoDB's JSON over plain sockets.

mod support;

mod bad_configuration;
mod bad_endpoint;
mod bad_journal;
mod bad_stream;
mod bad_tables;
mod copy;
mod dead_letters;
mod drain;
mod faults;
mod harness;
mod interrupt;
mod kill;
mod live;
mod live_kill;
mod operator;
mod scripts;
mod stream_faults;
mod transform_commands;
mod transforms;
