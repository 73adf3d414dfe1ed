//! Mistakes in an expression, with their place.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// A mistake in an expression. `Display` is one line; [`ExpressionError::render`] shows the place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionError {
    message: String,
    hint: Option<String>,
    text: Box<str>,
    /// Byte offsets of the part at fault.
    start: usize,
    end: usize,
    /// Where the expression begins in its file, counted from 1.
    first_line: usize,
    first_column: usize,
}

impl ExpressionError {
    pub(super) fn new(text: &str, start: usize, end: usize, message: impl Into<String>) -> Self {
        let end = end.clamp(start.min(text.len()), text.len());
        Self {
            message: message.into(),
            hint: None,
            text: text.into(),
            start: start.min(end),
            end,
            first_line: 1,
            first_column: 1,
        }
    }

    #[must_use]
    pub(super) fn hint(mut self, remedy: impl Into<String>) -> Self {
        self.hint = Some(remedy.into());
        self
    }

    /// The same mistake, where its text is a part of `whole` that begins at byte `offset`.
    #[must_use]
    pub(super) fn inside(mut self, whole: &str, offset: usize) -> Self {
        self.text = whole.into();
        self.start += offset;
        self.end += offset;
        self
    }

    /// Says where in a file the expression begins, both counted from 1, so that the error's place is the file's.
    #[must_use]
    pub fn within(mut self, line: usize, column: usize) -> Self {
        self.first_line = line.max(1);
        self.first_column = column.max(1);
        self
    }

    /// What is wrong, without place and remedy.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it, if something better is known.
    pub fn remedy(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    fn before(&self) -> &str {
        &self.text[..self.start]
    }

    /// The line of the fault, counted from 1.
    pub fn line(&self) -> usize {
        self.first_line + self.before().matches('\n').count()
    }

    /// The column of the fault in characters, counted from 1.
    pub fn column(&self) -> usize {
        match self.before().rsplit_once('\n') {
            Some((_, line)) => line.chars().count() + 1,
            None => self.before().chars().count() + self.first_column,
        }
    }

    /// Message, place, the line with a caret below the fault, and the remedy:
    ///
    /// ```text
    /// unknown function begin_with
    ///  --> line 1, column 1
    ///   | begin_with(pk, "case|")
    ///   | ^^^^^^^^^^
    /// hint: write begins_with
    /// ```
    pub fn render(&self) -> String {
        let line_start = self.before().rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[line_start..].lines().next().unwrap_or_default();
        // Tabs stay tabs, so that the caret stands right however wide they are.
        let indent: String =
            self.text[line_start..self.start].chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let marked = self.text[self.start..self.end].lines().next().unwrap_or_default();
        let carets = "^".repeat(marked.chars().count().max(1));
        let mut out = format!(
            "{}\n --> line {}, column {}\n  | {line}\n  | {indent}{carets}",
            self.message,
            self.line(),
            self.column()
        );
        if let Some(hint) = &self.hint {
            out.push_str("\nhint: ");
            out.push_str(hint);
        }
        out
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (line {}, column {})", self.message, self.line(), self.column())?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ExpressionError {}

impl From<ExpressionError> for Error {
    fn from(error: ExpressionError) -> Self {
        let hint = error.hint.clone();
        let shown = ExpressionError { hint: None, ..error }.render();
        match hint {
            Some(hint) => Self::new(ErrorKind::Usage, shown).hint(hint),
            None => Self::new(ErrorKind::Usage, shown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_shown_in_the_expression_and_told_in_the_file() {
        let text = "a = 1 AND\n\té = begin_with(x)";
        let start = text.find("begin").expect("there");
        let error =
            ExpressionError::new(text, start, start + 10, "unknown function begin_with").hint("write begins_with");
        assert_eq!((error.line(), error.column()), (2, 6));
        assert_eq!(
            error.render(),
            "unknown function begin_with\n --> line 2, column 6\n  | \té = begin_with(x)\n  | \t    ^^^^^^^^^^\n\
             hint: write begins_with"
        );
        let inner = error.within(10, 9);
        assert_eq!((inner.line(), inner.column()), (11, 6));
        let first = ExpressionError::new("a b", 2, 3, "x").within(10, 9);
        assert_eq!((first.line(), first.column()), (10, 11));
        assert_eq!(first.to_string(), "x (line 10, column 11)");
    }

    #[test]
    fn a_place_behind_the_end_has_a_caret_too() {
        let error = ExpressionError::new("a =", 3, 3, "expected a value");
        assert_eq!(error.render(), "expected a value\n --> line 1, column 4\n  | a =\n  |    ^");
        assert_eq!(ExpressionError::new("", 7, 9, "x").render(), "x\n --> line 1, column 1\n  | \n  | ^");
    }
}
