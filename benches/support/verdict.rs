//! What every benchmark of the engine promises.

/// Prints whether a promise is kept.
pub fn promise(words: &str, kept: bool) -> bool {
    println!("{} {words}", if kept { "kept  " } else { "BROKEN" });
    kept
}
