//! The command line program.

use std::process::ExitCode;

/// Counts allocations for `transform bench`, which costs about a nanosecond each.
#[global_allocator]
static ALLOCATOR: densa_alloc::CountingAllocator = densa_alloc::CountingAllocator::system();

fn main() -> ExitCode {
    tableferry::cli::main()
}
