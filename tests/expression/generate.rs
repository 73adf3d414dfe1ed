//! Random items, and random expressions that mostly have to do with them.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::notation::{Expression, Step};
use super::server::KEY;

const NAMES: &[&str] =
    &["a", "b", "c", "total", "size", "status", "odd name", "x.y", "SET", "null", "été", "q\"q", "9"];
const INNER: &[&str] = &["a", "b", "x", "in ner", "not", "1"];
const TEXTS: &[&str] =
    &["", "a", "ab", "abc", "b", "B", "é", "😀", "a\"b", "\\", "line\nbreak", "\u{1}", "case|1", "'", "{}", "10"];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "-1",
    "3",
    "10",
    "1.5",
    "-0.5",
    "0.1",
    "1.0",
    "1E2",
    "100",
    "-7e-3",
    "99999999999999999999999999999999999999",
    "12345678901234567890123456789012345678",
    "9.9999999999999999999999999999999999999E+125",
    "1E-130",
    "-1E-130",
    "1E37",
    "0.0000000000000000000000000000000000001",
    "1.1E-130",
    "5E125",
];
const BINARIES: &[&str] = &["", "AA==", "AAE=", "AAEC", "AQ==", "/w==", "AAECAwQ="];
const KINDS: &[&str] = &["S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"];

type Path = Vec<Step>;

/// Makes expressions for one item.
pub struct Generator {
    rng: Rng,
    /// The item that expressions are made for.
    pub item: Map<String, Value>,
    /// Percent of paths and operands that need not make sense: of many mistakes only the first is ever seen.
    slips: u32,
    /// What the update under way changes already.
    targets: Vec<Path>,
}

impl Generator {
    pub fn new(seed: u64) -> Self {
        let mut generator = Self { rng: Rng::with_seed(seed), item: Map::new(), slips: 0, targets: Vec::new() };
        let mut item = Map::from_iter([(KEY.to_owned(), json!({"S": format!("case|{seed}")}))]);
        for name in NAMES {
            if generator.chance(60) {
                item.insert((*name).to_owned(), generator.any_value(3));
            }
        }
        generator.item = item;
        generator
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(..100) < percent
    }

    fn pick<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.rng.usize(..texts.len())]
    }

    fn some(&mut self, texts: &[&str]) -> Value {
        let count = self.rng.usize(1..4);
        let mut chosen: Vec<&str> = Vec::new();
        while chosen.len() < count {
            let text = self.pick(texts);
            // 1 and 1.0, 100 and 1E2 are one number, and a set has it once.
            if !chosen.contains(&text) && !["1.0", "1E2"].contains(&text) {
                chosen.push(text);
            }
        }
        chosen.into()
    }

    fn any_value(&mut self, depth: u32) -> Value {
        let kinds = if depth == 0 { &KINDS[..5] } else { KINDS };
        let kind = self.pick(kinds);
        self.value_of(kind, depth)
    }

    fn value_of(&mut self, kind: &str, depth: u32) -> Value {
        let value: Value = match kind {
            "S" => self.pick(TEXTS).into(),
            "N" => self.pick(NUMBERS).into(),
            "B" => self.pick(BINARIES).into(),
            "BOOL" => self.rng.bool().into(),
            "NULL" => true.into(),
            "SS" => self.some(TEXTS),
            "NS" => self.some(NUMBERS),
            "BS" => self.some(BINARIES),
            "L" => (0..self.rng.usize(..4)).map(|_| self.any_value(depth.saturating_sub(1))).collect(),
            _ => {
                let names: Vec<_> = (0..self.rng.usize(..4)).map(|_| self.pick(INNER)).collect();
                names.into_iter().map(|name| (name.to_owned(), self.any_value(depth.saturating_sub(1)))).collect()
            }
        };
        json!({kind: value})
    }

    /// Every place in the item, with what is there.
    fn places(&self) -> Vec<(Path, Value)> {
        let mut places = Vec::new();
        for (name, value) in &self.item {
            list(&vec![Step::Name(name.clone())], value, &mut places);
        }
        places
    }

    /// A path, mostly to something; and what is there.
    fn path(&mut self) -> (Path, Option<Value>) {
        let places = self.places();
        let (mut path, value) = places[self.rng.usize(..places.len())].clone();
        if !self.chance(self.slips) {
            return (path, Some(value));
        }
        match self.rng.u32(75..100) {
            // Further down from a key DynamoDB looks at no item: it refuses.
            _ if path[0] == Step::Name(KEY.to_owned()) => {}
            75..85 => {
                let step = match self.rng.bool() {
                    true => Step::Name(self.pick(INNER).to_owned()),
                    false => Step::Index(self.rng.usize(..4)),
                };
                path.push(step);
            }
            85..93 => match path.last_mut() {
                Some(Step::Index(index)) => *index += self.rng.usize(1..4),
                Some(Step::Name(name)) => *name = self.pick(INNER).to_owned(),
                None => {}
            },
            _ => path = vec![Step::Name(self.pick(NAMES).to_owned())],
        }
        (path, None)
    }

    /// A path that an update can change: to what is there, to a new place, or to anything.
    fn target(&mut self, kinds: &[&str]) -> (Path, Option<Value>) {
        for _ in 0..8 {
            let (mut path, mut value) = self.path_to(kinds);
            if kinds.len() == KINDS.len() && self.chance(40) {
                match &value {
                    Some(found) if found.get("M").is_some() => path.push(Step::Name(self.pick(INNER).to_owned())),
                    Some(found) if found.get("L").is_some() => path.push(Step::Index(self.rng.usize(..6))),
                    _ => path = vec![Step::Name(self.pick(NAMES).to_owned())],
                }
                value = None;
            }
            let clashes = |other: &Path| path.starts_with(other) || other.starts_with(&path);
            let is_good = path[0] != Step::Name(KEY.to_owned()) && !self.targets.iter().any(clashes);
            if is_good || self.chance(self.slips / 2) {
                self.targets.push(path.clone());
                return (path, value);
            }
        }
        (vec![Step::Name(format!("new{}", self.rng.u32(..)))], None)
    }

    /// A path to a value of one of the types, if there is one.
    fn path_to(&mut self, kinds: &[&str]) -> (Path, Option<Value>) {
        let places = self.places();
        let fitting: Vec<_> =
            places.into_iter().filter(|(_, value)| kinds.iter().any(|kind| value.get(kind).is_some())).collect();
        if fitting.is_empty() || self.chance(self.slips / 2) {
            return self.path();
        }
        let (path, value) = fitting[self.rng.usize(..fitting.len())].clone();
        (path, Some(value))
    }

    fn write_path(&mut self, path: &[Step], out: &mut Expression) {
        let style = self.rng.usize(..6);
        out.path(path, style);
    }

    /// A value to compare with `value`: the same, one of the same type, or any.
    fn near(&mut self, value: Option<&Value>) -> Value {
        match value {
            Some(value) if self.chance(45) => value.clone(),
            Some(value) if self.chance(75) => {
                let kind = value.as_object().and_then(|typed| typed.keys().next()).expect("a type").clone();
                self.value_of(&kind, 1)
            }
            _ => self.any_value(1),
        }
    }

    fn begin(&mut self) -> Expression {
        self.slips = if self.chance(60) { 0 } else { 30 };
        self.targets.clear();
        Expression::default()
    }

    pub fn condition(&mut self) -> Expression {
        let mut out = self.begin();
        self.any_condition(2, &mut out);
        out
    }

    /// Tests with AND and OR between them, in parentheses or not.
    fn any_condition(&mut self, depth: u32, out: &mut Expression) {
        let parts = if depth == 0 || self.chance(40) { 1 } else { self.rng.usize(2..4) };
        for part in 0..parts {
            if part > 0 {
                let word = self.pick(&[" AND ", " OR ", " and ", " Or "]);
                out.plain(word);
            }
            if self.chance(20) {
                out.plain("NOT ");
            }
            if depth > 0 && parts > 1 && self.chance(35) {
                // Around one test alone DynamoDB finds them needless only if they are double.
                out.plain("(");
                self.any_condition(depth - 1, out);
                out.plain(")");
            } else {
                self.test(out);
            }
        }
    }

    fn operand(&mut self, near: Option<&Value>, out: &mut Expression) {
        match self.rng.u32(..100) {
            0..65 => {
                let value = self.near(near);
                out.value(&value);
            }
            65..92 => {
                let (path, _) = self.path();
                self.write_path(&path, out);
            }
            _ => self.size(out),
        }
    }

    fn size(&mut self, out: &mut Expression) {
        let (path, _) = self.path_to(&["S", "B", "L", "M", "SS", "NS", "BS"]);
        out.plain("size(");
        self.write_path(&path, out);
        out.plain(")");
    }

    fn test(&mut self, out: &mut Expression) {
        let (path, value) = self.path();
        match self.rng.u32(..100) {
            0..40 => {
                let sign = self.pick(&["=", "=", "<>", "<", "<=", ">", ">="]);
                // Mostly what can be ordered, where order is asked for.
                let (path, value) = match sign {
                    "=" | "<>" => (path, value),
                    _ => self.path_to(&["S", "N", "B"]),
                };
                if self.chance(15) {
                    self.operand(value.as_ref(), out);
                    out.plain(&format!(" {sign} "));
                    self.write_path(&path, out);
                } else {
                    self.write_path(&path, out);
                    out.plain(&format!("{sign} "));
                    self.operand(value.as_ref(), out);
                }
            }
            40..48 => {
                self.size(out);
                let sign = self.pick(&[" = ", "<>", " < ", ">="]);
                out.plain(sign);
                let size = json!({"N": self.rng.u32(..4).to_string()});
                out.value(&size);
            }
            48..58 => {
                let (path, value) = self.path_to(&["S", "N", "B"]);
                self.write_path(&path, out);
                out.plain(" BETWEEN ");
                self.operand(value.as_ref(), out);
                out.plain(" AND ");
                self.operand(value.as_ref(), out);
            }
            58..66 => {
                self.write_path(&path, out);
                out.plain(" IN (");
                for element in 0..self.rng.usize(1..5) {
                    if element > 0 {
                        out.plain(", ");
                    }
                    self.operand(value.as_ref(), out);
                }
                out.plain(")");
            }
            66..76 => {
                let function = self.pick(&["attribute_exists(", "attribute_not_exists("]);
                out.plain(function);
                self.write_path(&path, out);
                out.plain(")");
            }
            76..82 => {
                out.plain("attribute_type(");
                self.write_path(&path, out);
                let kind = match &value {
                    Some(Value::Object(typed)) if self.chance(50) => typed.keys().next().cloned().unwrap_or_default(),
                    _ => self.pick(&[KINDS, &["X"]].concat()).to_owned(),
                };
                out.plain(", ").value(&json!({"S": kind})).plain(")");
            }
            82..90 => {
                let (path, value) = self.path_to(&["S", "B"]);
                out.plain("begins_with(");
                self.write_path(&path, out);
                out.plain(", ");
                self.operand(value.as_ref(), out);
                out.plain(")");
            }
            _ => {
                let (path, value) = self.path_to(&["S", "B", "L", "SS", "NS", "BS"]);
                out.plain("contains(");
                self.write_path(&path, out);
                out.plain(", ");
                match inner(value.as_ref(), &mut self.rng) {
                    Some(element) if self.chance(60) => drop(out.value(&element)),
                    _ => self.operand(value.as_ref(), out),
                }
                out.plain(")");
            }
        }
    }

    pub fn update(&mut self) -> Expression {
        let mut out = self.begin();
        let mut clauses = vec!["SET", "REMOVE", "ADD", "DELETE"];
        self.rng.shuffle(&mut clauses);
        let count = self.rng.usize(1..3);
        for clause in clauses.into_iter().take(count) {
            out.plain(clause).plain(" ");
            for action in 0..self.rng.usize(1..4) {
                if action > 0 {
                    out.plain(", ");
                }
                self.action(clause, &mut out);
            }
            out.plain(" ");
        }
        out
    }

    fn action(&mut self, clause: &str, out: &mut Expression) {
        match clause {
            "SET" => {
                let (path, _) = self.target(KINDS);
                self.write_path(&path, out);
                out.plain(" = ");
                self.assigned(out);
            }
            "REMOVE" => {
                let (path, _) = self.target(KINDS);
                self.write_path(&path, out);
            }
            _ => {
                let kinds: &[&str] = if clause == "ADD" { &["N", "SS", "NS", "BS"] } else { &["SS", "NS", "BS"] };
                let (path, value) = self.target(kinds);
                let kind = kinds.iter().find(|kind| value.as_ref().is_some_and(|value| value.get(kind).is_some()));
                let operand = match kind {
                    Some(kind) if !self.chance(self.slips) => self.value_of(kind, 0),
                    _ if !self.chance(self.slips) => {
                        let kind = self.pick(kinds);
                        self.value_of(kind, 0)
                    }
                    _ => self.any_value(1),
                };
                self.write_path(&path, out);
                out.plain(" ").value(&operand);
            }
        }
    }

    fn assigned(&mut self, out: &mut Expression) {
        match self.rng.u32(..100) {
            0..25 => {
                let value = self.any_value(2);
                out.value(&value);
            }
            25..45 => {
                let (path, _) = self.path();
                self.write_path(&path, out);
            }
            45..70 => {
                self.operand_of("N", out);
                let sign = self.pick(&[" + ", " - ", "+", "-"]);
                out.plain(sign);
                self.operand_of("N", out);
            }
            70..85 => self.if_not_exists(None, out),
            _ => {
                out.plain("list_append(");
                self.operand_of("L", out);
                out.plain(", ");
                self.operand_of("L", out);
                out.plain(")");
            }
        }
    }

    /// A number or list: at a path, written out, or one with a substitute.
    fn operand_of(&mut self, kind: &'static str, out: &mut Expression) {
        match self.rng.u32(..100) {
            0..50 => {
                let (path, value) = self.path_to(&[kind]);
                if value.is_some_and(|value| value.get(kind).is_some()) || self.chance(self.slips) {
                    self.write_path(&path, out);
                } else {
                    let value = self.value_of(kind, 1);
                    out.value(&value);
                }
            }
            50..90 if !self.chance(self.slips / 3) => {
                let value = self.value_of(kind, 1);
                out.value(&value);
            }
            50..90 => {
                let value = self.any_value(1);
                out.value(&value);
            }
            _ => self.if_not_exists(Some(kind), out),
        }
    }

    fn if_not_exists(&mut self, kind: Option<&str>, out: &mut Expression) {
        out.plain("if_not_exists(");
        let (path, _) = match kind {
            Some(kind) if self.rng.bool() => self.path_to(&[kind]),
            _ => (vec![Step::Name(self.pick(NAMES).to_owned())], None),
        };
        self.write_path(&path, out);
        out.plain(", ");
        match (self.rng.u32(..100), kind) {
            (0..20, _) => {
                let (path, _) = self.path();
                self.write_path(&path, out);
            }
            (20..30, _) => self.if_not_exists(kind, out),
            (_, Some(kind)) => {
                let value = self.value_of(kind, 1);
                out.value(&value);
            }
            _ => {
                let value = self.any_value(1);
                out.value(&value);
            }
        }
        out.plain(")");
    }
}

fn list(path: &Path, value: &Value, places: &mut Vec<(Path, Value)>) {
    places.push((path.clone(), value.clone()));
    let below = |step| [path.clone(), vec![step]].concat();
    for (name, value) in value["M"].as_object().into_iter().flatten() {
        list(&below(Step::Name(name.clone())), value, places);
    }
    for (index, value) in value["L"].as_array().into_iter().flatten().enumerate() {
        list(&below(Step::Index(index)), value, places);
    }
}

/// An element of a list or set, a part of a text.
fn inner(value: Option<&Value>, rng: &mut Rng) -> Option<Value> {
    let value = value?;
    if let Some(text) = value["S"].as_str() {
        let start = rng.usize(..=text.chars().count());
        return Some(json!({"S": text.chars().skip(start).take(2).collect::<String>()}));
    }
    let (kind, list) = value.as_object()?.iter().next()?;
    let list = list.as_array().filter(|list| !list.is_empty())?;
    let element = list[rng.usize(..list.len())].clone();
    match kind.as_str() {
        "L" => Some(element),
        kind => Some(json!({&kind[..1]: element})),
    }
}
