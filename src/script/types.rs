//! Finds what is type and not code in TypeScript.

use std::collections::HashSet;

use oxc_ast::ast::{
    AccessorProperty, ArrowFunctionExpression, Class, ClassElement, Declaration, Decorator, ExportDeclaration,
    ExportDefaultDeclarationKind, ExportSpecifier, FormalParameter, IdentifierReference, ImportDeclaration,
    ImportDeclarationSpecifier, ImportOrExportKind, MethodDefinition, MethodDefinitionType, Program,
    PropertyDefinition, PropertyDefinitionType, Statement, TSAsExpression, TSIndexSignature, TSNonNullExpression,
    TSSatisfiesExpression, TSThisParameter, TSTypeAnnotation, TSTypeAssertion, TSTypeParameterDeclaration,
    TSTypeParameterInstantiation, VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan, Span};

/// Words before a member of a class that are types and not code.
const MODIFIERS: [&str; 7] = ["public", "private", "protected", "readonly", "abstract", "override", "declare"];

/// What the types of a file are overwritten with.
pub(super) struct Types<'t> {
    text: &'t str,
    pub blanks: Vec<Span>,
    /// Characters to stand at byte offsets, above the blanks.
    pub put: Vec<(usize, char)>,
    /// Where statements begin of which nothing is left.
    pub erased: HashSet<u32>,
    /// Byte offsets and what is wrong there.
    pub mistakes: Vec<(usize, String)>,
    /// Names that code uses.
    used: HashSet<String>,
}

impl<'t> Types<'t> {
    pub fn new(text: &'t str) -> Self {
        let (blanks, put, mistakes) = (Vec::new(), Vec::new(), Vec::new());
        Self { text, blanks, put, erased: HashSet::new(), mistakes, used: HashSet::new() }
    }

    pub fn find(&mut self, program: &Program<'_>) {
        self.visit_program(program);
        // Only now is it known which names are used as more than types.
        for statement in &program.body {
            if let Statement::ImportDeclaration(import) = statement {
                self.import(import);
            }
        }
    }

    fn blank(&mut self, start: u32, end: u32) {
        self.blanks.push(Span::new(start, end));
    }

    /// Removes a statement or member; a semicolon stays, so that the one before ends.
    fn erase(&mut self, span: Span) {
        self.blank(span.start, span.end);
        self.put.push((span.start as usize, ';'));
        self.erased.insert(span.start);
    }

    fn mistake(&mut self, span: Span, message: &str) {
        self.mistakes.push((span.start as usize, message.to_owned()));
    }

    fn slice(&self, start: u32, end: u32) -> &'t str {
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// The offset of what comes first at or behind `from`, not counting white space and comments.
    fn next(&self, from: u32) -> u32 {
        let mut at = from as usize;
        loop {
            let rest = &self.text[at..];
            let skipped = match rest {
                _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
                _ if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
                _ => rest.len() - rest.trim_start().len(),
            };
            if skipped == 0 {
                return at as u32;
            }
            at += skipped;
        }
    }

    /// A list element, with the comma behind it.
    fn blank_with_comma(&mut self, span: Span) {
        let behind = self.next(span.end);
        let end = if self.text[behind as usize..].starts_with(',') { behind + 1 } else { span.end };
        self.blank(span.start, end);
    }

    /// Where a type ended a statement, its end has to be said now that the next line could go on with it.
    fn close(&mut self, end: u32) {
        if self.blanks.iter().any(|blank| blank.end == end)
            && let Some((at, _)) = self.text[..end as usize].char_indices().next_back()
        {
            self.put.push((at, ';'));
        }
    }

    /// The words before a member's name at `key`.
    fn modifiers(&mut self, span: Span, key: Span, needs_end: bool) {
        let mut at = self.next(span.start);
        let first = at;
        while at < key.start {
            let rest = &self.text[at as usize..];
            let word = rest.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
            if word.is_empty() {
                break;
            }
            let end = at + word.len() as u32;
            if MODIFIERS.contains(&word) {
                self.blank(at, end);
                // `[name]` and `*name` would go on with the member before.
                if at == first && needs_end {
                    self.put.push((at as usize, ';'));
                }
            }
            at = self.next(end);
        }
    }

    /// The `?` or `!` behind a name.
    fn mark(&mut self, name_end: u32, is_there: bool) {
        if is_there {
            let mut at = self.next(name_end);
            if self.text[at as usize..].starts_with(']') {
                at = self.next(at + 1);
            }
            if self.text[at as usize..].starts_with(['?', '!']) {
                self.blank(at, at + 1);
            }
        }
    }

    fn import(&mut self, import: &ImportDeclaration<'_>) {
        if import.import_kind == ImportOrExportKind::Type {
            return self.erase(import.span);
        }
        let Some(specifiers) = &import.specifiers else { return };
        let is_type = |specifier: &ImportDeclarationSpecifier<'_>| match specifier {
            ImportDeclarationSpecifier::ImportSpecifier(specifier)
                if specifier.import_kind == ImportOrExportKind::Type =>
            {
                true
            }
            other => !self.used.contains(other.local().name.as_str()),
        };
        let types: Vec<Span> = specifiers.iter().filter(|one| is_type(one)).map(GetSpan::span).collect();
        if !specifiers.is_empty() && types.len() == specifiers.len() {
            return self.erase(import.span);
        }
        let is_default = matches!(specifiers.first(), Some(ImportDeclarationSpecifier::ImportDefaultSpecifier(_)));
        let has_default = is_default && types.first() != specifiers.first().map(GetSpan::span).as_ref();
        let has_rest = specifiers.len() - types.len() > usize::from(has_default);
        if has_default && !has_rest && specifiers.len() > 1 {
            // `import a, { type B } from` is `import a from`.
            let default_end = specifiers[0].span().end;
            let comma = self.next(default_end);
            let from = self.slice(comma, import.source.span.start).rfind("from").unwrap_or_default();
            return self.blank(comma, comma + from as u32);
        }
        for span in types {
            self.blank_with_comma(span);
        }
    }

    fn is_declared_only(declaration: &Declaration<'_>) -> bool {
        match declaration {
            Declaration::TSTypeAliasDeclaration(_) | Declaration::TSInterfaceDeclaration(_) => true,
            Declaration::TSGlobalDeclaration(_) => true,
            Declaration::VariableDeclaration(variables) => variables.declare,
            Declaration::FunctionDeclaration(function) => function.body.is_none(),
            Declaration::ClassDeclaration(class) => class.declare,
            Declaration::TSEnumDeclaration(item) => item.declare,
            Declaration::TSNamespaceDeclaration(item) => item.declare,
            Declaration::TSExternalModuleDeclaration(item) => item.declare,
            Declaration::TSImportEqualsDeclaration(item) => item.import_kind == ImportOrExportKind::Type,
        }
    }

    fn generates_code(declaration: &Declaration<'_>) -> Option<&'static str> {
        match declaration {
            Declaration::TSEnumDeclaration(_) => Some("an enum is not supported; write `const A = { B: 'b' }`"),
            Declaration::TSNamespaceDeclaration(_) | Declaration::TSExternalModuleDeclaration(_) => {
                Some("a namespace is not supported; write a module of its own and import it")
            }
            Declaration::TSImportEqualsDeclaration(_) => {
                Some("`import a = ...` is not supported; write `import a from './a'`")
            }
            _ => None,
        }
    }

    /// Whether nothing more is to be looked at.
    fn declaration(&mut self, declaration: &Declaration<'_>, whole: Span) -> bool {
        if Self::is_declared_only(declaration) {
            self.erase(whole);
            return true;
        }
        if let Some(message) = Self::generates_code(declaration) {
            self.mistake(whole, message);
            return true;
        }
        false
    }
}

impl<'a> Visit<'a> for Types<'_> {
    fn visit_statement(&mut self, it: &Statement<'a>) {
        if let Some(declaration) = it.as_declaration()
            && self.declaration(declaration, it.span())
        {
            return;
        }
        match it {
            // Looked at when all names are known.
            Statement::ImportDeclaration(_) => return,
            Statement::ExportAllDeclaration(export) if export.export_kind == ImportOrExportKind::Type => {
                return self.erase(export.span);
            }
            Statement::ExportNamedDeclaration(export) if export.export_kind == ImportOrExportKind::Type => {
                return self.erase(export.span);
            }
            Statement::ExportFromDeclaration(export) if export.export_kind == ImportOrExportKind::Type => {
                return self.erase(export.span);
            }
            // Names of another file, not of this one.
            Statement::ExportFromDeclaration(export) => {
                for specifier in &export.specifiers {
                    if specifier.export_kind == ImportOrExportKind::Type {
                        self.blank_with_comma(specifier.span);
                    }
                }
                return;
            }
            Statement::ExportDefaultDeclaration(export) => {
                let is_type = match &export.declaration {
                    ExportDefaultDeclarationKind::TSInterfaceDeclaration(_) => true,
                    ExportDefaultDeclarationKind::FunctionDeclaration(function) => function.body.is_none(),
                    _ => false,
                };
                if is_type {
                    return self.erase(export.span);
                }
            }
            Statement::TSExportAssignment(export) => {
                return self.mistake(export.span, "`export =` is not supported; write `export default`");
            }
            Statement::TSNamespaceExportDeclaration(export) => return self.erase(export.span),
            _ => {}
        }
        walk::walk_statement(self, it);
        self.close(it.span().end);
    }

    fn visit_export_declaration(&mut self, it: &ExportDeclaration<'a>) {
        if !self.declaration(&it.declaration, it.span) {
            walk::walk_export_declaration(self, it);
        }
    }

    fn visit_export_specifier(&mut self, it: &ExportSpecifier<'a>) {
        if it.export_kind == ImportOrExportKind::Type {
            self.blank_with_comma(it.span);
        } else {
            walk::walk_export_specifier(self, it);
        }
    }

    fn visit_identifier_reference(&mut self, it: &IdentifierReference<'a>) {
        self.used.insert(it.name.to_string());
    }

    fn visit_ts_type_annotation(&mut self, it: &TSTypeAnnotation<'a>) {
        self.blank(it.span.start, it.span.end);
    }

    fn visit_ts_type_parameter_declaration(&mut self, it: &TSTypeParameterDeclaration<'a>) {
        self.blank(it.span.start, it.span.end);
    }

    fn visit_ts_type_parameter_instantiation(&mut self, it: &TSTypeParameterInstantiation<'a>) {
        self.blank(it.span.start, it.span.end);
    }

    fn visit_ts_this_parameter(&mut self, it: &TSThisParameter<'a>) {
        self.blank_with_comma(it.span);
    }

    fn visit_ts_as_expression(&mut self, it: &TSAsExpression<'a>) {
        self.visit_expression(&it.expression);
        self.blank(it.expression.span().end, it.span.end);
    }

    fn visit_ts_satisfies_expression(&mut self, it: &TSSatisfiesExpression<'a>) {
        self.visit_expression(&it.expression);
        self.blank(it.expression.span().end, it.span.end);
    }

    fn visit_ts_non_null_expression(&mut self, it: &TSNonNullExpression<'a>) {
        self.visit_expression(&it.expression);
        self.blank(it.expression.span().end, it.span.end);
    }

    fn visit_ts_type_assertion(&mut self, it: &TSTypeAssertion<'a>) {
        let start = it.expression.span().start;
        if self.slice(it.span.start, start).contains('\n') {
            self.mistake(it.span, "a type in front of its value has to be in the same line; write `value as Type`");
        }
        self.blank(it.span.start, start);
        self.visit_expression(&it.expression);
    }

    fn visit_decorator(&mut self, it: &Decorator<'a>) {
        self.mistake(it.span, "a decorator is not supported; call the function instead");
    }

    fn visit_arrow_function_expression(&mut self, it: &ArrowFunctionExpression<'a>) {
        walk::walk_arrow_function_expression(self, it);
        if let Some(types) = &it.type_parameters
            && self.slice(types.span.start, types.span.end).contains('\n')
        {
            // `async` and its parenthesis belong in one line.
            self.blank(it.params.span.start, it.params.span.start + 1);
            self.put.push((types.span.start as usize, '('));
        }
        if let Some(returned) = &it.return_type
            && self.slice(returned.span.start, returned.span.end).contains('\n')
        {
            // So do the parenthesis and the arrow.
            let end = it.params.span.end;
            self.blank(end - 1, end);
            if let Some((at, _)) = self.text[..returned.span.end as usize].char_indices().next_back() {
                self.put.push((at, ')'));
            }
        }
    }

    fn visit_formal_parameter(&mut self, it: &FormalParameter<'a>) {
        if it.accessibility.is_some() || it.readonly || it.r#override {
            self.mistake(it.span, "a parameter property is not supported; assign it in the constructor");
        }
        self.mark(it.pattern.span().end, it.optional);
        walk::walk_formal_parameter(self, it);
    }

    fn visit_variable_declarator(&mut self, it: &VariableDeclarator<'a>) {
        self.mark(it.id.span().end, it.definite);
        walk::walk_variable_declarator(self, it);
    }

    fn visit_class(&mut self, it: &Class<'a>) {
        if it.r#abstract {
            let at = self.next(it.span.start);
            if self.text[at as usize..].starts_with("abstract") {
                self.blank(at, at + "abstract".len() as u32);
            }
        }
        for decorator in &it.decorators {
            self.visit_decorator(decorator);
        }
        if let Some(types) = &it.type_parameters {
            self.visit_ts_type_parameter_declaration(types);
        }
        if let Some(heritage) = &it.heritage {
            self.visit_class_heritage(heritage);
        }
        if let (Some(first), Some(last)) = (it.implements.first(), it.implements.last())
            && let Some(word) = self.slice(it.span.start, first.span.start).rfind("implements")
        {
            self.blank(it.span.start + word as u32, last.span.end);
        }
        self.visit_class_body(&it.body);
    }

    fn visit_class_element(&mut self, it: &ClassElement<'a>) {
        walk::walk_class_element(self, it);
        if matches!(it, ClassElement::PropertyDefinition(_)) {
            self.close(it.span().end);
        }
    }

    fn visit_method_definition(&mut self, it: &MethodDefinition<'a>) {
        if it.value.body.is_none() || it.r#type == MethodDefinitionType::TSAbstractMethodDefinition {
            return self.erase(it.span);
        }
        self.modifiers(it.span, it.key.span(), it.computed || it.value.generator);
        self.mark(it.key.span().end, it.optional);
        walk::walk_method_definition(self, it);
    }

    fn visit_property_definition(&mut self, it: &PropertyDefinition<'a>) {
        if it.declare || it.r#type == PropertyDefinitionType::TSAbstractPropertyDefinition {
            return self.erase(it.span);
        }
        self.modifiers(it.span, it.key.span(), it.computed);
        self.mark(it.key.span().end, it.optional || it.definite);
        walk::walk_property_definition(self, it);
    }

    fn visit_accessor_property(&mut self, it: &AccessorProperty<'a>) {
        self.mistake(it.span, "an accessor field is not supported; write a getter and a setter");
    }

    fn visit_ts_index_signature(&mut self, it: &TSIndexSignature<'a>) {
        self.erase(it.span);
    }
}
