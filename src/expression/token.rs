//! The words and signs of an expression.

use crate::item::decode_base64;

use super::error::ExpressionError;

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A bare word: a name, a function, an operator such as AND.
    Word(String),
    /// A name in backticks.
    Name(String),
    /// A text in double or single quotes.
    Text(String),
    /// A number without sign, as written.
    Number(String),
    /// `b64"..."`, decoded.
    Binary(Vec<u8>),
    /// One of [`SIGNS`].
    Sign(&'static str),
    /// Behind the last token.
    End,
}

impl Kind {
    /// In a message: `expected a comparison, found ...`.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Word(word) => format!("`{word}`"),
            Self::Name(name) => format!("the name `{name}`"),
            Self::Text(_) => "a text".to_owned(),
            Self::Number(number) => format!("the number {number}"),
            Self::Binary(_) => "a binary value".to_owned(),
            Self::Sign(sign) => format!("`{sign}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// A token and the bytes it covers.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Longer signs first.
const SIGNS: &[&str] =
    &["<<", ">>", "<=", ">=", "<>", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",", ".", ":", "+", "-"];

/// Signs of other languages, and what DynamoDB has instead.
const FOREIGN: &[(&str, &str)] = &[("==", "="), ("!=", "<>"), ("&&", "AND"), ("||", "OR"), ("!", "NOT")];

/// Splits `text`; the last token is [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ExpressionError> {
    let mut lexer = Lexer { text, at: 0, maps: 0 };
    let mut tokens = Vec::new();
    loop {
        let rest = &text[lexer.at..];
        lexer.at += rest.len() - rest.trim_start().len();
        let start = lexer.at;
        let kind = lexer.next()?;
        let is_end = kind == Kind::End;
        tokens.push(Token { kind, start, end: lexer.at });
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Maps that are open: in them a colon is no placeholder.
    maps: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn error(&self, start: usize, message: impl Into<String>) -> ExpressionError {
        ExpressionError::new(self.text, start, self.at, message)
    }

    fn next(&mut self) -> Result<Kind, ExpressionError> {
        let start = self.at;
        let Some(first) = self.rest().chars().next() else { return Ok(Kind::End) };
        match first {
            '"' | '\'' => Ok(Kind::Text(self.quoted(first)?)),
            '`' => {
                let name = self.quoted('`')?;
                if name.is_empty() {
                    return Err(self.error(start, "a name must not be empty"));
                }
                Ok(Kind::Name(name))
            }
            '0'..='9' => Ok(Kind::Number(self.number())),
            'a'..='z' | 'A'..='Z' | '_' => {
                let word = self.word();
                match self.rest().chars().next() {
                    Some(quote @ ('"' | '\'')) if word == "b64" => self.binary(quote),
                    _ => Ok(Kind::Word(word)),
                }
            }
            ':' | '#' if self.maps == 0 => Err(self.placeholder(first)),
            _ => self.sign(first),
        }
    }

    fn placeholder(&mut self, sign: char) -> ExpressionError {
        let start = self.at;
        self.at += 1;
        let name = self.word();
        let remedy = match sign {
            ':' => {
                "write the value itself: a text in quotes, a number, true, false, null, [..], {..}, <<..>>, b64\"..\""
            }
            _ => "write the name itself, in backticks if it is not a plain word",
        };
        self.error(start, format!("{sign}{name} is a placeholder, and there are none here")).hint(remedy)
    }

    fn sign(&mut self, first: char) -> Result<Kind, ExpressionError> {
        let start = self.at;
        for (foreign, own) in FOREIGN {
            if self.rest().starts_with(foreign) {
                self.at += foreign.len();
                return Err(self.error(start, format!("there is no `{foreign}`")).hint(format!("write {own}")));
            }
        }
        match SIGNS.iter().find(|sign| self.rest().starts_with(**sign)) {
            Some(sign) => {
                self.at += sign.len();
                match *sign {
                    "{" => self.maps += 1,
                    "}" => self.maps = self.maps.saturating_sub(1),
                    _ => {}
                }
                Ok(Kind::Sign(sign))
            }
            None => {
                self.at += first.len_utf8();
                let error = self.error(start, format!("`{first}` has no meaning here"));
                Err(error.hint("write names that are not plain words in backticks, texts in quotes"))
            }
        }
    }

    fn word(&mut self) -> String {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let word = rest[..length].to_owned();
        self.at += length;
        word
    }

    fn number(&mut self) -> String {
        let rest = self.rest().as_bytes();
        let digits = |from: usize| rest[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut length = digits(0);
        if rest.get(length) == Some(&b'.') && digits(length + 1) > 0 {
            length += 1 + digits(length + 1);
        }
        if let Some(b'e' | b'E') = rest.get(length) {
            let sign = usize::from(matches!(rest.get(length + 1), Some(b'+' | b'-')));
            let exponent = digits(length + 1 + sign);
            if exponent > 0 {
                length += 1 + sign + exponent;
            }
        }
        let number = self.rest()[..length].to_owned();
        self.at += length;
        number
    }

    fn binary(&mut self, quote: char) -> Result<Kind, ExpressionError> {
        let start = self.at;
        let text = self.quoted(quote)?;
        match decode_base64(text.as_bytes()) {
            Some(bytes) => Ok(Kind::Binary(bytes)),
            None => Err(self.error(start, "this is not base64")),
        }
    }

    /// A text up to the same quote, with JSON's escapes; in backticks a backslash is a backslash.
    fn quoted(&mut self, quote: char) -> Result<String, ExpressionError> {
        let start = self.at;
        let mut text = String::new();
        self.at += 1;
        while let Some(next) = self.rest().chars().next() {
            self.at += next.len_utf8();
            if next == quote {
                return Ok(text);
            }
            if next == '\\' && quote != '`' {
                text.push(self.escape()?);
            } else {
                text.push(next);
            }
        }
        self.at = start + 1;
        Err(self.error(start, "this quote is never closed"))
    }

    fn escape(&mut self) -> Result<char, ExpressionError> {
        let start = self.at - 1;
        let next = self.rest().chars().next();
        self.at += next.map_or(0, char::len_utf8);
        match next {
            Some(same @ ('"' | '\'' | '\\' | '/')) => Ok(same),
            Some('n') => Ok('\n'),
            Some('t') => Ok('\t'),
            Some('r') => Ok('\r'),
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some('u') => match self.unicode() {
                Some(character) => Ok(character),
                None => Err(self.error(start, "\\u is followed by the four hexadecimal digits of a character")),
            },
            _ => Err(self.error(start, "no such escape").hint("write \\\\ for a backslash")),
        }
    }

    fn unicode(&mut self) -> Option<char> {
        let first = self.code_unit()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(u32::from(first));
        }
        self.at += self.rest().starts_with("\\u").then_some(2)?;
        let second = self.code_unit()?;
        char::decode_utf16([first, second]).next()?.ok()
    }

    fn code_unit(&mut self) -> Option<u16> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        let unit = u16::from_str_radix(digits, 16).ok()?;
        self.at += 4;
        Some(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        tokens(text).unwrap_or_else(|error| panic!("{}", error.render())).into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn an_expression_is_split_into_words_and_signs() {
        use Kind::{Binary, End, Name, Number, Sign, Text, Word};
        let word = |text: &str| Word(text.to_owned());
        let number = |text: &str| Number(text.to_owned());
        assert_eq!(
            kinds("a.b[2]>=-1.5e3"),
            [
                word("a"),
                Sign("."),
                word("b"),
                Sign("["),
                number("2"),
                Sign("]"),
                Sign(">="),
                Sign("-"),
                number("1.5e3"),
                End
            ]
        );
        assert_eq!(
            kinds("`odd na\\me`<>'it''s'"),
            [Name("odd na\\me".to_owned()), Sign("<>"), Text("it".to_owned()), Text("s".to_owned()), End]
        );
        assert_eq!(kinds(r#" "\"\u00e9\ud83d\ude00\n" "#), [Text("\"é😀\n".to_owned()), End]);
        assert_eq!(kinds("b64\"AAE=\" b64"), [Binary(vec![0, 1]), word("b64"), End]);
        assert_eq!(kinds("{a:true,b :1}").len(), 10);
        assert_eq!(kinds("<<1>>"), [Sign("<<"), number("1"), Sign(">>"), End]);
        assert_eq!(kinds("1e"), [number("1"), word("e"), End]);
        assert_eq!(kinds(" \n\t"), [End]);
    }

    #[test]
    fn what_belongs_to_another_language_is_named_with_its_remedy() {
        for (text, message, remedy) in [
            ("a = :v1", ":v1 is a placeholder", "the value itself"),
            ("#n = 1", "#n is a placeholder", "the name itself"),
            ("a == 1", "`==`", "write ="),
            ("a != 1", "`!=`", "write <>"),
            ("a && b", "`&&`", "write AND"),
            ("a = 1; b", "`;`", "backticks"),
            ("é = 1", "`é`", "backticks"),
        ] {
            let error = tokens(text).expect_err(text);
            assert!(error.message().contains(message), "{text}: {error}");
            assert!(error.remedy().is_some_and(|hint| hint.contains(remedy)), "{text}: {error}");
        }
        for text in [
            "\"open",
            "'open\\'",
            "`open",
            "``",
            r#""\x""#,
            r#""\u12""#,
            r#""\ud800""#,
            r#""\ud800\u0041""#,
            "b64\"A\"",
        ] {
            assert!(tokens(text).is_err(), "{text}");
        }
    }
}
