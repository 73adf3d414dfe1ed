//! TypeScript without its types.
//!
//! Types are overwritten with spaces, so that every other character stays in its line and column, and the places of
//! errors are those of the file. What needs code to be generated (`enum`, `namespace`, parameter properties) is a mistake.

use std::collections::{HashMap, HashSet};

use oxc_allocator::Allocator;
use oxc_ast::ast;
use oxc_parser::Parser;
use oxc_span::{GetSpan, SourceType};

use super::mistake::{Place, mistake};
use super::types::Types;
use crate::error::Result;

/// A source file as JavaScript.
#[derive(Debug)]
pub(super) struct Stripped {
    /// The code, in the lines and columns of the file.
    pub code: String,
    /// What it imports, as written, and the byte offset where it says so.
    pub imports: Vec<(String, usize)>,
    /// Whether it has `import` or `export`; if not it may be CommonJS.
    pub is_module: bool,
}

/// Reads a source file; `file` is its name, for messages and to tell TypeScript from JavaScript.
pub(super) fn strip(file: &str, text: &str) -> Result<Stripped> {
    let is_typescript = file.ends_with(".ts");
    let source_type = if is_typescript { SourceType::ts() } else { SourceType::mjs() };
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, source_type).parse();
    if let Some(found) = parsed.diagnostics.errors().next() {
        let offset = found.labels.first().map_or(0, |label| label.offset() as usize);
        let hint = found.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
        return Err(mistake(file, text, Place::of(text, offset), &format!("{}{hint}", found.message)));
    }
    let mut types = Types::new(text);
    if is_typescript {
        types.find(&parsed.program);
        if let Some((offset, message)) = types.mistakes.first() {
            return Err(mistake(file, text, Place::of(text, *offset), message));
        }
    }
    let mut imports = Vec::new();
    for statement in &parsed.program.body {
        import(statement, &types.erased, &mut imports);
    }
    Ok(Stripped { code: blanked(text, &types), imports, is_module: parsed.module_record.has_module_syntax })
}

fn import(statement: &ast::Statement<'_>, erased: &HashSet<u32>, imports: &mut Vec<(String, usize)>) {
    let source = match statement {
        ast::Statement::ImportDeclaration(import) => &import.source,
        ast::Statement::ExportAllDeclaration(export) => &export.source,
        ast::Statement::ExportFromDeclaration(export) => &export.source,
        _ => return,
    };
    if !erased.contains(&statement.span().start) {
        imports.push((source.value.to_string(), source.span.start as usize));
    }
}

/// The text with its types overwritten.
fn blanked(text: &str, types: &Types<'_>) -> String {
    let mut is_blank = vec![false; text.len()];
    for blank in &types.blanks {
        is_blank[blank.start as usize..blank.end as usize].fill(true);
    }
    let put: HashMap<usize, char> = types.put.iter().copied().collect();
    // Byte for byte: the interpreter counts columns so.
    let mut code = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        let is_line_end = matches!(character, '\n' | '\r' | '\u{2028}' | '\u{2029}');
        match put.get(&at) {
            Some(other) => code.push(*other),
            None if !is_blank[at] || is_line_end || character == '\t' => code.push(character),
            None => code.push(' '),
        }
        let end = at + character.len_utf8();
        code.extend(std::iter::repeat_n(' ', end - code.len()));
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    fn js(typescript: &str) -> String {
        let stripped = strip("a.ts", typescript).unwrap_or_else(|error| panic!("{typescript}: {error}"));
        assert_eq!(stripped.code.len(), typescript.len(), "{typescript}");
        assert_eq!(stripped.code.lines().count(), typescript.lines().count(), "{typescript}");
        // What is left is JavaScript.
        strip("a.js", &stripped.code).unwrap_or_else(|error| panic!("{}: {error}", stripped.code));
        stripped.code
    }

    /// With runs of white space as one space, and of empty statements as one.
    fn squeezed(typescript: &str) -> String {
        let mut words: Vec<String> = js(typescript).split_whitespace().map(str::to_owned).collect();
        words.dedup_by(|word, before| word == ";" && before.ends_with(';'));
        words.join(" ")
    }

    #[test]
    fn types_become_spaces() {
        for (typescript, javascript) in [
            ("const a: number = 1;", "const a = 1;"),
            ("function f<T>(this: X, a?: T, ...b: T[]): asserts a is T {}", "function f ( a , ...b ) {}"),
            ("const f = async <T,>(a: T): Promise<T> => a;", "const f = async (a ) => a;"),
            ("let x = (y as unknown as Z).a!.b![0] satisfies W;", "let x = (y ).a .b [0] ;"),
            ("new Map<string, number>(); f<T>(x); g<T>`t`;", "new Map (); f (x); g `t`;"),
            ("type A = { b: 'é' }; interface B { c: d }\nx();", "; x();"),
            ("declare const a: b; declare function c(): void; declare module 'd' { }", ";"),
            ("try { } catch (e: unknown) { }", "try { } catch (e ) { }"),
            ("let a!: number; for (const x of <any>y) z();", "let a ; for (const x of y) z();"),
            ("function f(a: string): void;\nfunction f(a: any) { }", "; function f(a ) { }"),
            ("export type { A } from './a'; export { type B, c }; const c = 1;", "; export { c }; const c = 1;"),
            ("export type C = 1; export interface D {} export default interface E {}", ";"),
        ] {
            assert_eq!(squeezed(typescript), javascript);
        }
    }

    #[test]
    fn classes_keep_what_runs() {
        let typescript = "abstract class A<T> extends B<T> implements C, D {
            private readonly x?: number = 1; declare y: string; public static z: T; [key: string]: any;
            protected abstract m(): void; constructor(a: T); constructor(a?: any) { super() }
            override async *n<U>(a: U): AsyncGenerator<U> { }
        }";
        assert_eq!(
            squeezed(typescript),
            "class A extends B { x = 1; static z ; constructor(a ) { super() } ; async *n (a ) { } }"
        );
    }

    #[test]
    fn imports_of_types_are_no_imports() {
        let stripped = strip(
            "a.ts",
            "import type { A } from 'a';\nimport { type B, b } from './b';\nimport { C, D } from './c';\nimport E from './e';
             import * as F from './f'; import './g'; import { type H } from './h'; import G, { type I } from './i';
             const x: C = b as F.Y; new E(); export { G }; export * from './j'; export { k } from './k';",
        )
        .expect("valid");
        let imports: Vec<&str> = stripped.imports.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(imports, ["./b", "./e", "./g", "./i", "./j", "./k"]);
        assert!(stripped.code.contains("import {         b } from './b';"), "{}", stripped.code);
        assert!(stripped.is_module);
        assert!(!strip("a.js", "exports.a = 1").expect("valid").is_module);
    }

    #[test]
    fn a_statement_ends_where_it_ended() {
        for (typescript, javascript) in [
            ("const a = b as C\n(d)", "const a = b ; (d)"),
            ("let a: B\n[c].d()", "let a ; [c].d()"),
            ("type A = B\n(c)", "; (c)"),
            ("class A { x: B\n[y] = 1\n private ['z'] = 2 }", "class A { x ; [y] = 1 ; ['z'] = 2 }"),
        ] {
            assert_eq!(squeezed(typescript), javascript);
        }
    }

    #[test]
    fn arrows_stay_with_their_parentheses() {
        assert_eq!(js("const f = (a): Promise<\n  A[]\n> => a"), "const f = (a           \n     \n) => a");
        assert_eq!(js("const f = async <\n  T,\n>(a: T) => a"), "const f = async (\n    \n  a   ) => a");
    }

    #[test]
    fn what_needs_code_is_a_mistake_with_its_place() {
        for (typescript, place, part) in [
            ("let a;\n  enum B { C }", "a.ts:2:3: ", "enum"),
            ("namespace A { export const b = 1 }", "a.ts:1:1: ", "namespace"),
            ("class A { constructor(private b: C) { } }", "a.ts:1:23: ", "parameter property"),
            ("import a = require('b');", "a.ts:1:1: ", "import"),
            ("export = 1;", "a.ts:1:1: ", "export"),
            ("@a class B { }", "a.ts:1:1: ", "decorator"),
            ("const é = 1; const b = = 2;", "a.ts:1:24: ", "Unexpected token"),
        ] {
            let error = strip("a.ts", typescript).expect_err(typescript);
            assert!(error.message().starts_with(place), "{typescript}: {error}");
            assert!(error.message().contains(part), "{typescript}: {error}");
        }
    }
}
