//! Mistakes in a script's source, with their place.

use crate::error::{Error, ErrorKind};

/// Where something stands in a text, both counted from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// The place of a byte.
    pub fn of(text: &str, offset: usize) -> Self {
        let before = &text.as_bytes()[..offset.min(text.len())];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        // A character begins with every byte that does not continue one.
        let column = 1 + before[line_start..].iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        Self { line, column }
    }

    /// The place of a byte that is counted in its line, from 1 as the line is.
    pub fn in_line(text: &str, line: usize, byte: usize) -> Self {
        let start = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
        let end = text[start..].find('\n').map_or(text.len(), |end| start + end);
        Self::of(text, (start + byte.saturating_sub(1)).min(end))
    }
}

/// `message` about a place of a file, with the line and a caret below it:
///
/// ```text
/// 0007-statuses.ts:3:18: expected a semicolon
///   | const status = = 1;
///   |                ^
/// ```
pub(super) fn mistake(file: &str, text: &str, place: Place, message: &str) -> Error {
    let line = text.split('\n').nth(place.line - 1).unwrap_or_default().trim_end_matches('\r');
    // Tabs stay tabs, so that the caret stands right however wide they are.
    let indent: String =
        line.chars().take(place.column.saturating_sub(1)).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let Place { line: row, column } = place;
    Error::new(ErrorKind::Usage, format!("{file}:{row}:{column}: {message}\n  | {line}\n  | {indent}^"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_below_the_character() {
        let text = "a\n\té = begin(x)\r\nb";
        let place = Place::of(text, text.find("begin").expect("there"));
        assert_eq!(place, Place { line: 2, column: 6 });
        let error = mistake("x.js", text, place, "no");
        assert_eq!(error.message(), "x.js:2:6: no\n  | \té = begin(x)\n  | \t    ^");
        assert_eq!(Place::of("", 7), Place { line: 1, column: 1 });
        assert_eq!(Place::in_line(text, 2, 7), place);
        assert_eq!(Place::in_line(text, 9, 7), Place { line: 3, column: 2 });
    }
}
