//! `tableferry.toml` as it is written: read, variables put in, every key known.

use std::borrow::Cow;
use std::path::Path;

use serde::Deserialize;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::resolve::Environment;
use crate::error::{Error, ErrorKind, Result};

/// Every section there is.
const SECTIONS: [&str; 5] = ["source", "destination", "rate", "transforms", "deploy"];
/// The only key that is no string.
const BOOLEAN: &str = "destination.create";
/// Words less alike than this (Jaro-Winkler) are no slip of the fingers; then every right one is listed.
const ALIKE: f64 = 0.75;

/// Every key there is. A key in the file that is not here is refused with the nearest one that is.
const KEYS: [&str; 13] = [
    "source.table",
    "source.endpoint-url",
    "source.region",
    "source.profile",
    "destination.table",
    "destination.endpoint-url",
    "destination.region",
    "destination.profile",
    "destination.create",
    "rate.read",
    "rate.write",
    "transforms.dir",
    "deploy.table",
];

/// The file's content.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConfigFile {
    /// Where to read.
    pub source: TableFile,
    /// Where to write.
    pub destination: TableFile,
    /// How fast.
    pub rate: RateFile,
    /// What becomes of items.
    pub transforms: TransformsFile,
    /// Where earlier migrations are recorded.
    pub deploy: DeployFile,
}

/// `[transforms]`
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransformsFile {
    /// Directory of the transforms.
    pub dir: Option<String>,
}

/// `[deploy]`
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeployFile {
    /// Name or ARN of the deploy table.
    pub table: Option<String>,
}

/// `[source]` and `[destination]`
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct TableFile {
    /// Name or ARN.
    pub table: Option<String>,
    /// Instead of the region's own endpoint.
    pub endpoint_url: Option<String>,
    /// AWS region.
    pub region: Option<String>,
    /// Profile of the AWS configuration files.
    pub profile: Option<String>,
    /// Destination only: create it like the source.
    pub create: Option<bool>,
}

/// `[rate]`
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateFile {
    /// As `--read-rate`.
    pub read: Option<String>,
    /// As `--write-rate`.
    pub write: Option<String>,
}

impl ConfigFile {
    /// Reads the file at `path`.
    pub fn load(path: &Path, environment: &Environment<'_>) -> Result<Self> {
        let place = path.display();
        let bytes = std::fs::read(path)
            .map_err(|error| usage(format!("{place}: {error}"), "name an existing file with --config"))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let before = String::from_utf8_lossy(&error.as_bytes()[..at]);
            usage(format!("{place}: {}: not UTF-8", position(&before, at)), "save it as UTF-8")
        })?;
        Self::parse(&text, environment).map_err(|error| error.context(place))
    }

    fn parse(text: &str, environment: &Environment<'_>) -> Result<Self> {
        let syntax = |error: toml::de::Error| {
            let place = error.span().map_or(String::new(), |span| format!("{}: ", position(text, span.start)));
            usage(format!("{place}{}", error.message()), "mend the file")
        };
        check_keys(text, DeTable::parse(text).map_err(syntax)?.get_ref())?;
        let mut table: Table = toml::from_str(text).map_err(syntax)?;
        for (section, value) in &mut table {
            substitute(section, value, environment)?;
        }
        Value::Table(table)
            .try_into()
            .map_err(|error: toml::de::Error| usage(error.to_string().trim().replace('\n', " "), "mend the value"))
    }
}

/// Knows every key and its type, and where in the text it stands.
fn check_keys(text: &str, table: &DeTable<'_>) -> Result<()> {
    for (section, value) in table {
        let (line, section) = (line(text, section), section.get_ref().as_ref());
        if !SECTIONS.contains(&section) {
            return Err(unknown(line, section, section, &SECTIONS));
        }
        let Some(entries) = value.get_ref().as_table() else {
            let message =
                format!("line {line}: `{section}` is of type {}, expected a table", value.get_ref().type_str());
            return Err(usage(message, &format!("write [{section}] and its keys below it")));
        };
        for (name, value) in entries {
            check_key(section, name, value, text)?;
        }
    }
    Ok(())
}

fn check_key(section: &str, name: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>, text: &str) -> Result<()> {
    let (line, name) = (line(text, name), name.get_ref().as_ref());
    let key = format!("{section}.{name}");
    if !KEYS.contains(&key.as_str()) {
        let of_section: Vec<&str> =
            KEYS.iter().filter_map(|key| key.strip_prefix(section)?.strip_prefix('.')).collect();
        return Err(unknown(line, &key, name, &of_section));
    }
    let value = value.get_ref();
    let (fits, expected, hint) = match key == BOOLEAN {
        true => (value.is_bool(), "a boolean", "write true or false, without quotes"),
        false => (value.is_str(), "a string", "write the value in quotes"),
    };
    if fits {
        return Ok(());
    }
    let message = format!("line {line}: `{key}` is of type {}, expected {expected}", value.type_str());
    Err(usage(message, hint))
}

/// `name` is what is written, `key` where that is in the file, `right` what could be written there.
fn unknown(line: usize, key: &str, name: &str, right: &[&str]) -> Error {
    let section = key.strip_suffix(name).unwrap_or_default();
    let alike = |right: &str| strsim::jaro_winkler(right, name);
    let nearest = right.iter().copied().max_by(|one, two| alike(one).total_cmp(&alike(two)));
    let elsewhere: Vec<String> =
        KEYS.iter().filter(|key| key.rsplit('.').next() == Some(name)).map(|key| format!("`{key}`")).collect();
    let hint = match nearest.filter(|nearest| alike(nearest) >= ALIKE) {
        _ if !elsewhere.is_empty() => format!("did you mean {}?", elsewhere.join(" or ")),
        Some(nearest) => format!("did you mean `{section}{nearest}`?"),
        None => format!("there are: {}", right.join(", ")),
    };
    usage(format!("line {line}: unknown key `{key}`"), &hint)
}

/// Puts `${VAR}` in; `$${` stands for `${` itself.
fn substitute(key: &str, value: &mut Value, environment: &Environment<'_>) -> Result<()> {
    match value {
        Value::String(text) => *text = expand(key, text, environment)?,
        Value::Table(table) => {
            for (name, value) in table {
                substitute(&format!("{key}.{name}"), value, environment)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn expand(key: &str, text: &str, environment: &Environment<'_>) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at]);
            out.push('{');
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let Some(end) = rest[at..].find('}') else {
            return Err(usage(format!("`{key}`: `${{` without `}}`"), "close it, or write `$${` for the characters"));
        };
        let name = &rest[at + 2..at + end];
        if name.is_empty() || !name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_') {
            let message = format!("`{key}`: `${{{name}}}` does not name a variable");
            return Err(usage(message, "use letters, digits and `_`, or write `$${` for the characters"));
        }
        let found = environment(name).ok_or_else(|| {
            usage(
                format!("`{key}` needs the environment variable {name}, which is not set"),
                &format!("export {name}=..."),
            )
        })?;
        out.push_str(&found);
        rest = &rest[at + end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// The line, from 1, where that part of the text begins.
fn line<T>(text: &str, part: &Spanned<T>) -> usize {
    text[..part.span().start.min(text.len())].matches('\n').count() + 1
}

/// `line 2, column 9`, both from 1, of a byte of the text.
fn position(text: &str, byte: usize) -> String {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}")
}

fn usage(message: String, hint: &str) -> Error {
    Error::new(ErrorKind::Usage, message).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConfigFile> {
        ConfigFile::parse(text, &|name| (name == "ENV").then(|| "prod".to_owned()))
    }

    #[test]
    fn every_key_is_read() {
        let file = parse(
            r#"
            [source]
            table = "efcms-${ENV}-alpha"
            endpoint-url = "https://a"
            region = "us-east-1"
            profile = "$${x}"
            [destination]
            table = "b"
            endpoint-url = "https://b"
            region = "us-west-2"
            profile = "q"
            create = true
            [rate]
            read = "50%"
            write = "auto"
            [deploy]
            table = "efcms-deploy-${ENV}"
            "#,
        )
        .expect("valid");
        assert_eq!(file.source.table.as_deref(), Some("efcms-prod-alpha"));
        assert_eq!(file.source.profile.as_deref(), Some("${x}"));
        assert_eq!(file.destination.create, Some(true));
        assert_eq!(file.deploy.table.as_deref(), Some("efcms-deploy-prod"));
        assert_eq!(file.rate.read.as_deref(), Some("50%"));
    }

    #[track_caller]
    fn assert_refused(text: &str, message: &str, hint: &str) {
        let error = parse(text).expect_err(text);
        assert_eq!((error.message(), error.remedy()), (message, Some(hint)), "{text}");
    }

    #[test]
    fn an_unknown_key_is_named_with_its_own_line_and_the_nearest_right_one() {
        for (text, message, hint) in [
            ("[source]\ntabel = 'a'", "line 2: unknown key `source.tabel`", "did you mean `source.table`?"),
            ("[sorce]\ntable = 'a'", "line 1: unknown key `sorce`", "did you mean `source`?"),
            ("source = { tabel = 'a' }", "line 1: unknown key `source.tabel`", "did you mean `source.table`?"),
            ("\n[rate]\nwrites = 'auto'", "line 3: unknown key `rate.writes`", "did you mean `rate.write`?"),
            ("[xyzzy]", "line 1: unknown key `xyzzy`", "there are: source, destination, rate, transforms, deploy"),
            ("[rate]\nzzz = 'a'", "line 2: unknown key `rate.zzz`", "there are: read, write"),
        ] {
            assert_refused(text, message, hint);
        }
    }

    #[test]
    fn the_line_is_that_of_the_key_and_not_of_one_that_looks_like_it() {
        let hint = "did you mean `source.table`?";
        assert_refused("[source]\ntable = 'a'\ntab = 'x'", "line 3: unknown key `source.tab`", hint);
        let hint = "did you mean `source.table` or `destination.table` or `deploy.table`?";
        assert_refused("[source]\ntable = 'a'\n[rate]\ntable = 'x'", "line 4: unknown key `rate.table`", hint);
    }

    #[test]
    fn a_right_key_in_the_wrong_place_is_sent_to_the_right_one() {
        let hint = "did you mean `source.table` or `destination.table` or `deploy.table`?";
        assert_refused("table = 'a'", "line 1: unknown key `table`", hint);
        let hint = "did you mean `destination.create`?";
        assert_refused("[source]\ncreate = true", "line 2: unknown key `source.create`", hint);
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named_with_the_type_expected() {
        let (table, quotes) = ("write [source] and its keys below it", "write the value in quotes");
        for (text, message, hint) in [
            ("source = 'x'", "line 1: `source` is of type string, expected a table", table),
            ("[[source]]\ntable = 'x'", "line 1: `source` is of type array, expected a table", table),
            ("[source]\ntable = 5", "line 2: `source.table` is of type integer, expected a string", quotes),
            ("[rate]\nread = 0.5", "line 2: `rate.read` is of type float, expected a string", quotes),
            (
                "[destination]\ncreate = 'yes'",
                "line 2: `destination.create` is of type string, expected a boolean",
                "write true or false, without quotes",
            ),
        ] {
            assert_refused(text, message, hint);
        }
    }

    #[test]
    fn a_variable_that_cannot_be_put_in_is_named_with_its_key() {
        for (text, message, hint) in [
            ("${NOPE}", "`source.table` needs the environment variable NOPE, which is not set", "export NOPE=..."),
            ("${ENV", "`source.table`: `${` without `}`", "close it, or write `$${` for the characters"),
            (
                "${}",
                "`source.table`: `${}` does not name a variable",
                "use letters, digits and `_`, or write `$${` for the characters",
            ),
        ] {
            assert_refused(&format!("[source]\ntable = '{text}'"), message, hint);
        }
    }

    #[test]
    fn text_that_is_no_toml_is_named_with_line_and_column() {
        let error = parse("[source]\ntable = 'a' 'b'").expect_err("refused");
        assert!(error.message().starts_with("line 2, column 13: "), "{error}");
        assert_eq!(error.remedy(), Some("mend the file"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("f.toml");
        let load = || ConfigFile::load(&path, &|_| None).expect_err("refused");
        assert!(load().message().starts_with(&format!("{}: No such file", path.display())), "{}", load());
        std::fs::write(&path, b"[source]\ntable = '\xc3\xa9\xff'").expect("written");
        assert_eq!(load().message(), format!("{}: line 2, column 11: not UTF-8", path.display()));
    }
}
