//! What every benchmark is asked.

/// The number behind a flag; what else Cargo or a person passes does not matter.
pub fn value(words: &[&str], name: &str) -> Option<usize> {
    let at = words.iter().position(|word| *word == name)?;
    words.get(at + 1)?.replace('_', "").parse().ok()
}

/// Whether this is a benchmark and not a test of one: Cargo passes `--bench` only when it is asked for a benchmark.
pub fn is_bench(words: &[&str]) -> bool {
    words.contains(&"--bench") && !words.contains(&"--test")
}
