//! `tableferry.toml` as it is written: read, variables put in, every key known.

use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::resolve::Environment;
use crate::error::{Error, ErrorKind, Result};

/// Every key there is. A key in the file that is not here is refused with the nearest one that is.
const KEYS: [&str; 11] = [
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
            usage(format!("{place} is not UTF-8 (byte {at})"), "save it as UTF-8")
        })?;
        Self::parse(&text, environment).map_err(|error| error.context(place))
    }

    fn parse(text: &str, environment: &Environment<'_>) -> Result<Self> {
        let syntax = |error: toml::de::Error| {
            let line = error.span().map_or(0, |span| line(text, span.start));
            usage(format!("line {line}: {}", error.message()), "mend the file")
        };
        let mut table: Table = toml::from_str(text).map_err(syntax)?;
        check_keys(text, &table)?;
        for (section, value) in &mut table {
            substitute(section, value, environment)?;
        }
        // Without the text there are no lines any more, so the type errors name the key.
        Value::Table(table)
            .try_into()
            .map_err(|error: toml::de::Error| usage(error.to_string().trim().replace('\n', " "), "mend the value"))
    }
}

fn check_keys(text: &str, table: &Table) -> Result<()> {
    for (section, value) in table {
        let Value::Table(entries) = value else {
            return Err(unknown(text, section));
        };
        if !KEYS.iter().any(|key| key.split('.').next() == Some(section)) {
            return Err(unknown(text, section));
        }
        for key in entries.keys().map(|key| format!("{section}.{key}")) {
            if !KEYS.contains(&key.as_str()) {
                return Err(unknown(text, &key));
            }
        }
    }
    Ok(())
}

fn unknown(text: &str, key: &str) -> Error {
    let last = key.rsplit('.').next().unwrap_or(key);
    let at = text.lines().position(|line| line.trim_start().trim_start_matches('[').starts_with(last));
    let line = at.map_or(String::new(), |at| format!("line {}: ", at + 1));
    let message = format!("{line}unknown key `{key}`");
    let sections = ["source", "destination", "rate"];
    let candidates: &[&str] = if key.contains('.') { &KEYS } else { &sections };
    let nearest =
        candidates.iter().max_by(|one, two| strsim::jaro_winkler(one, key).total_cmp(&strsim::jaro_winkler(two, key)));
    match nearest {
        Some(nearest) => usage(message, &format!("did you mean `{nearest}`?")),
        None => usage(message, "remove it"),
    }
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

fn line(text: &str, byte: usize) -> usize {
    text[..byte.min(text.len())].matches('\n').count() + 1
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
            "#,
        )
        .expect("valid");
        assert_eq!(file.source.table.as_deref(), Some("efcms-prod-alpha"));
        assert_eq!(file.source.profile.as_deref(), Some("${x}"));
        assert_eq!(file.destination.create, Some(true));
        assert_eq!(file.rate.read.as_deref(), Some("50%"));
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_the_nearest_key() {
        for (text, message, hint) in [
            ("[source]\ntabel = \"a\"", "line 2: unknown key `source.tabel`", "did you mean `source.table`?"),
            ("[sorce]\ntable = \"a\"", "line 1: unknown key `sorce`", "did you mean `source`?"),
            ("table = \"a\"", "line 1: unknown key `table`", "did you mean"),
            ("[source]\ntable = ", "line 2: ", "mend the file"),
            ("[destination]\ncreate = \"yes\"", "invalid type: string \"yes\", expected a boolean", "mend the value"),
            ("[source]\ntable = \"${NOPE}\"", "`source.table` needs the environment variable NOPE", "export NOPE=..."),
            ("[source]\ntable = \"${ENV\"", "`source.table`: `${` without `}`", "close it"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.message().contains(message), "{text}: {error}");
            assert!(error.remedy().is_some_and(|remedy| remedy.contains(hint)), "{text}: {error}");
        }
    }
}
