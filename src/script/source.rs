//! The files that a script consists of: itself, and what it imports from its directory.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::mistake::{Place, mistake};
use super::strip::strip;
use crate::error::{Error, ErrorKind, Result};

const EXTENSIONS: [&str; 3] = [".ts", ".js", ".mjs"];

/// One file, ready to be run.
#[derive(Debug)]
pub(super) struct Source {
    /// As it was read.
    pub text: String,
    /// As JavaScript, in the same lines and columns.
    pub code: String,
    pub is_module: bool,
    pub digest: String,
    /// From names in `import ... from "name"` to files.
    imports: BTreeMap<String, String>,
}

/// All files of a script, by their paths from the directory, with `/` between the parts.
#[derive(Debug)]
pub(super) struct Sources {
    pub main: String,
    files: BTreeMap<String, Source>,
}

impl Sources {
    /// Reads `file` in `directory` and everything that it imports.
    pub fn load(directory: &Path, file: &str) -> Result<Self> {
        let root = directory
            .canonicalize()
            .map_err(|error| Error::new(ErrorKind::Io, format!("{}: {error}", directory.display())))?;
        let main = file.replace(std::path::MAIN_SEPARATOR, "/");
        if !Path::new(file).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(Error::new(ErrorKind::Usage, format!("{file}: this is no file of the transforms directory")));
        }
        let mut sources = Self { main: main.clone(), files: BTreeMap::new() };
        let mut wanted = vec![main];
        while let Some(name) = wanted.pop() {
            if sources.files.contains_key(&name) {
                continue;
            }
            let source = read(&root, &name)?;
            wanted.extend(source.imports.values().cloned());
            sources.files.insert(name, source);
        }
        Ok(sources)
    }

    pub fn get(&self, name: &str) -> Option<&Source> {
        self.files.get(name)
    }

    /// The file that `base` means by `name`.
    pub fn resolve(&self, base: &str, name: &str) -> Option<&str> {
        self.files.get(base)?.imports.get(name).map(String::as_str)
    }

    /// Names and hashes.
    pub fn digests(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(name, source)| (name.as_str(), source.digest.as_str()))
    }
}

fn read(root: &Path, name: &str) -> Result<Source> {
    let path = root.join(name);
    if !EXTENSIONS.iter().any(|extension| name.ends_with(extension)) {
        return Err(Error::new(ErrorKind::Usage, format!("{name}: a script's file ends in .ts, .js or .mjs")));
    }
    let bytes = std::fs::read(&path).map_err(|error| Error::new(ErrorKind::Io, format!("{name}: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = 1 + memchr::memchr_iter(b'\n', &error.as_bytes()[..error.utf8_error().valid_up_to()]).count();
        Error::new(ErrorKind::Usage, format!("{name}:{line}: this is not UTF-8")).hint("save the file in UTF-8")
    })?;
    if let Some(at) = memchr::memchr(0, text.as_bytes()) {
        return Err(mistake(name, &text, Place::of(&text, at), "a zero byte in a text file"));
    }
    let mut digest = String::new();
    for byte in Sha256::digest(text.as_bytes()) {
        let _ = write!(digest, "{byte:02x}");
    }
    let stripped = strip(name, &text)?;
    let mut imports = BTreeMap::new();
    for (wanted, offset) in stripped.imports {
        let found = locate(root, name, &wanted).map_err(|reason| {
            mistake(name, &text, Place::of(&text, offset), &reason).hint("transforms import files of their directory")
        })?;
        imports.insert(wanted, found);
    }
    Ok(Source { code: stripped.code, is_module: stripped.is_module, digest, imports, text })
}

/// The file that is meant by `wanted` in the file `base`, or what is wrong with it.
fn locate(root: &Path, base: &str, wanted: &str) -> Result<String, String> {
    if !(wanted.starts_with("./") || wanted.starts_with("../")) {
        return Err(format!("{wanted:?} is a package, not a file: nothing is installed for scripts; write \"./file\""));
    }
    let mut parts: Vec<&str> = base.split('/').collect();
    parts.pop();
    for part in wanted.split('/') {
        match part {
            "." | "" => {}
            ".." if parts.pop().is_none() => return Err(format!("{wanted:?} leads out of the transforms directory")),
            ".." => {}
            other => parts.push(other),
        }
    }
    let stem = parts.join("/");
    let candidates = candidates(&stem);
    let Some(found) = candidates.iter().find(|candidate| root.join(candidate).is_file()) else {
        return Err(format!("there is no file {wanted:?}; looked for {}", candidates.join(", ")));
    };
    let path: PathBuf = root.join(found).canonicalize().map_err(|error| format!("{found}: {error}"))?;
    if !path.starts_with(root) {
        return Err(format!("{wanted:?} is a link that leads out of the transforms directory"));
    }
    Ok(found.clone())
}

/// Files that a path without or with an extension may mean.
fn candidates(stem: &str) -> Vec<String> {
    if let Some(extension) = EXTENSIONS.iter().find(|extension| stem.ends_with(**extension)) {
        let bare = stem.strip_suffix(extension).unwrap_or(stem);
        // TypeScript imports a .ts file by the name it would have when compiled.
        let written = [stem.to_owned(), format!("{bare}.ts")];
        return written.into_iter().take(if *extension == ".ts" { 1 } else { 2 }).collect();
    }
    let files = EXTENSIONS.iter().map(|extension| format!("{stem}{extension}"));
    files.chain(EXTENSIONS.iter().map(|extension| format!("{stem}/index{extension}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        directory
    }

    #[test]
    fn a_script_is_all_the_files_that_it_imports() {
        let directory = directory(&[
            ("0001-a.ts", "import { b } from './shared/b'; import { c } from './c.js'; import './shared'; b(c);"),
            ("shared/b.ts", "import { c } from '../c'; export const b = c;"),
            ("shared/index.js", "import '../0001-a.ts';"),
            ("c.ts", "export const c = (a: number) => a;"),
            ("other.js", "syntax error"),
        ]);
        let sources = Sources::load(directory.path(), "0001-a.ts").expect("loads");
        let names: Vec<&str> = sources.digests().map(|(name, _)| name).collect();
        assert_eq!(names, ["0001-a.ts", "c.ts", "shared/b.ts", "shared/index.js"]);
        assert_eq!(sources.resolve("shared/b.ts", "../c"), Some("c.ts"));
        assert_eq!(sources.resolve("0001-a.ts", "./c.js"), Some("c.ts"));
        let digest = sources.digests().map(|(_, digest)| digest.to_owned()).nth(1);
        std::fs::write(directory.path().join("c.ts"), "export const c = (a: number) => a; ").expect("written");
        let changed = Sources::load(directory.path(), "0001-a.ts").expect("loads");
        assert_ne!(changed.digests().map(|(_, digest)| digest.to_owned()).nth(1), digest);
    }

    #[test]
    fn nothing_is_imported_from_elsewhere() {
        for (import, part) in [
            ("lodash", "a package"),
            ("node:fs", "a package"),
            ("/etc/passwd.js", "a package"),
            ("https://a.example/b.js", "a package"),
            ("../secret", "leads out of"),
            ("./a/../../secret", "leads out of"),
            ("./nothing", "there is no file"),
            ("./data.json", "there is no file"),
            ("./link", "a link that leads out"),
        ] {
            let outside = directory(&[("secret.js", "export {}")]);
            let inside = directory(&[("0001-a.js", &format!("\n  import x from '{import}'; x();"))]);
            #[cfg(unix)]
            std::os::unix::fs::symlink(outside.path().join("secret.js"), inside.path().join("link.js"))
                .expect("linked");
            let error = Sources::load(inside.path(), "0001-a.js").expect_err(import);
            assert!(error.message().starts_with("0001-a.js:2:17: "), "{error}");
            assert!(error.message().contains(part), "{error}");
        }
    }

    #[test]
    fn what_is_no_text_is_said() {
        let directory = directory(&[("b.txt", ""), ("c.js", "let a = '\0';")]);
        std::fs::write(directory.path().join("a.js"), b"let a;\nlet b = '\xff';").expect("written");
        let error = |file: &str| Sources::load(directory.path(), file).expect_err(file).to_string();
        assert!(error("a.js").starts_with("a.js:2: this is not UTF-8"), "{}", error("a.js"));
        assert!(error("b.txt").contains(".mjs"), "{}", error("b.txt"));
        assert!(error("c.js").starts_with("c.js:1:10: "), "{}", error("c.js"));
        assert!(error("d.js").starts_with("d.js: "), "{}", error("d.js"));
        assert!(error("../a.js").contains("no file of the transforms directory"));
    }
}
