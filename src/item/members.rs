//! Parts of an attribute value that is known to be sound, found without checking it once more.
//!
//! Items are walked when they are read ([`super::Walker`]); here structure is taken for granted, so that looking for
//! one attribute costs a fraction of that walk. On damaged JSON these functions end early; they never panic.

use super::value::Kind;
use super::walk::Text;

/// One member of an object: its name, and where its value stands.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// The name.
    pub name: Text<'a>,
    /// The value, without white space around it.
    pub value: &'a [u8],
    /// Byte offset of the name's opening quote.
    pub start: usize,
    /// Byte offset of the value.
    pub value_start: usize,
}

/// The members of a JSON object, in their order.
#[derive(Debug, Clone)]
pub struct Members<'a> {
    json: &'a [u8],
    at: usize,
}

/// The members of the object that `json` begins with.
pub fn members(json: &[u8]) -> Members<'_> {
    Members { json, at: 0 }
}

impl<'a> Members<'a> {
    /// Goes on where a member ended.
    pub(super) fn from_offset(json: &'a [u8], at: usize) -> Self {
        Self { json, at }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    #[inline]
    fn next(&mut self) -> Option<Member<'a>> {
        let json = self.json;
        let start = skip_space(json, self.at);
        // The brace before the first member, the comma before the others.
        if !matches!(json.get(start), Some(b'{' | b',')) {
            return None;
        }
        let start = skip_space(json, start + 1);
        let (name, end) = text_at(json, start)?;
        let colon = skip_space(json, end);
        let value_start = skip_space(json, colon + 1);
        let value_end = value_end(json, value_start)?;
        self.at = value_end;
        Some(Member { name, value: &json[value_start..value_end], start, value_start })
    }
}

/// The elements of a JSON array, in their order.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    json: &'a [u8],
    at: usize,
}

/// The elements of the array that `json` begins with.
pub fn elements(json: &[u8]) -> Elements<'_> {
    Elements { json, at: 0 }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let json = self.json;
        let start = skip_space(json, self.at);
        if !matches!(json.get(start), Some(b'[' | b',')) {
            return None;
        }
        let start = skip_space(json, start + 1);
        let end = value_end(json, start)?;
        self.at = end;
        Some(&json[start..end])
    }
}

/// The type of an attribute value, and the JSON of what it holds: `{"N":"5"}` is `N` and `"5"`.
pub fn typed(value: &[u8]) -> Option<(Kind, &[u8])> {
    let member = members(value).next()?;
    Some((Kind::from_name(member.name.raw())?, member.value))
}

/// The JSON string that `json` begins with.
pub fn text(json: &[u8]) -> Option<Text<'_>> {
    text_at(json, 0).map(|(text, _)| text)
}

#[inline]
fn text_at(json: &[u8], start: usize) -> Option<(Text<'_>, usize)> {
    if json.get(start) != Some(&b'"') {
        return None;
    }
    let (end, escaped) = closing_quote(json, start + 1)?;
    Some((Text::new(&json[start + 1..end], escaped), end + 1))
}

/// Where the string that begins at `start` ends, and whether it has escapes.
#[inline]
fn closing_quote(json: &[u8], start: usize) -> Option<(usize, bool)> {
    let mut at = start;
    let mut escaped = false;
    loop {
        at += quote_or_backslash(json.get(at..)?)?;
        if json[at] == b'"' {
            return Some((at, escaped));
        }
        escaped = true;
        at += 2;
    }
}

/// Names and most values are short: eight bytes at a time are faster there than the start of a wide search.
#[inline]
fn quote_or_backslash(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    const WORDS: usize = 3;
    let (words, _) = text.as_chunks::<8>();
    for (index, word) in words.iter().take(WORDS).enumerate() {
        let word = u64::from_le_bytes(*word);
        // A byte that becomes zero borrows from its highest bit.
        let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
        let found = zeros(word ^ (ONES * b'"' as u64)) | zeros(word ^ (ONES * b'\\' as u64));
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let seen = words.len().min(WORDS) * 8;
    memchr::memchr2(b'"', b'\\', &text[seen..]).map(|at| seen + at)
}

#[inline]
fn skip_space(json: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = json.get(at) {
        at += 1;
    }
    at
}

/// Where the value that begins at `start` ends.
#[inline]
fn value_end(json: &[u8], start: usize) -> Option<usize> {
    // Most values: a string or number, written without white space.
    if let Some([b'{', b'"', _, b'"', b':', b'"']) = json.get(start..start + 6) {
        let (end, _) = closing_quote(json, start + 6)?;
        if json.get(end + 1) == Some(&b'}') {
            return Some(end + 2);
        }
    }
    nested_end(json, start)
}

fn nested_end(json: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = start;
    loop {
        match json.get(at)? {
            b'"' => at = closing_quote(json, at + 1)?.0,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => match depth {
                0 => return None,
                _ => depth -= 1,
            },
            // `true` and `false` on their own; inside of something they are passed over like commas.
            b'a'..=b'z' if matches!(json.get(at + 1), Some(b'a'..=b'z')) => {
                at += 1;
                continue;
            }
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(json: &str) -> Vec<(String, String)> {
        members(json.as_bytes())
            .map(|member| {
                let name = String::from_utf8_lossy(&member.name.decoded()).into_owned();
                (name, String::from_utf8_lossy(member.value).into_owned())
            })
            .collect()
    }

    #[test]
    fn members_and_elements_are_found_whatever_is_between_them() {
        let compact =
            r#"{"a":{"S":"x\"}"},"b\u0063":{"L":[{"N":"1"},{"M":{"q":{"S":"]}"}}}]},"c":{"BOOL":true},"d":{"N":"2"}}"#;
        let expected = [
            ("a", r#"{"S":"x\"}"}"#),
            ("bc", r#"{"L":[{"N":"1"},{"M":{"q":{"S":"]}"}}}]}"#),
            ("c", r#"{"BOOL":true}"#),
            ("d", r#"{"N":"2"}"#),
        ];
        let expected: Vec<_> = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(listed(compact), expected);
        let spread = " { \"a\" : { \"S\" : \"1\" } , \"b\" : { \"BOOL\" : true } } ";
        let values: Vec<String> = listed(spread).into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, [r#"{ "S" : "1" }"#, r#"{ "BOOL" : true }"#]);
        let (kind, list) = typed(br#"{ "L" : [ {"N":"1"} , {"NULL": true} ] }"#).expect("typed");
        assert_eq!(kind, Kind::L);
        let found: Vec<_> = elements(list).map(|value| typed(value).map(|(kind, _)| kind)).collect();
        assert_eq!(found, [Some(Kind::N), Some(Kind::Null)]);
        assert_eq!(typed(br#"{ "BOOL" : false }"#), Some((Kind::Bool, &b"false"[..])));
        assert_eq!(elements(b"[]").count() + members(b"{}").count() + elements(b" [ ] ").count(), 0);
    }

    #[test]
    fn damaged_json_ends_early() {
        let json = r#"{"a":{"S":"x\"}"},"b":{"L":[{"N":"1"},{"BOOL":true}]}}"#;
        for end in 0..json.len() {
            assert!(listed(&json[..end]).len() <= 2);
            let _ = typed(json.as_bytes()[..end].get(5..).unwrap_or_default());
        }
    }
}
