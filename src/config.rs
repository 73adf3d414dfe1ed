//! The configuration: what is written in the file, and what a run is to do once flags and environment are laid over it.

mod file;
mod resolve;

pub use file::ConfigFile;
pub use resolve::{
    Consistency, Environment, Output, RunSpec, TableSpec, TailSpec, UntilSpec, process_environment, resolve,
};
