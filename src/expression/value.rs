//! Values worked out from an item: what SET assigns, what a template puts together.

mod evaluate;
mod parse;

use crate::item::{Attribute, Attributes, Value};

use super::function::Function;
use super::lookup::Lookup;
use super::path::{Path, descend, descend_raw};

pub(super) use evaluate::{Taken, evaluate, string};
pub(super) use parse::value;

/// Where paths lead.
pub(super) trait Source {
    fn at(&self, path: &Path) -> Option<Attribute<'_>>;
}

impl Source for Attributes {
    fn at(&self, path: &Path) -> Option<Attribute<'_>> {
        match self.get(&path.name)? {
            Attribute::Raw(json) => descend_raw(json, &path.steps).map(Attribute::Raw),
            Attribute::Value(value) => descend(value, &path.steps).map(Attribute::Value),
        }
    }
}

impl Source for Lookup<'_> {
    fn at(&self, path: &Path) -> Option<Attribute<'_>> {
        self.get(path).map(Attribute::Raw)
    }
}

/// How a value is worked out.
#[derive(Debug, Clone)]
pub(super) enum Formula {
    Path(Path),
    Literal(Value),
    Sum(Box<Formula>, Box<Formula>),
    Difference(Box<Formula>, Box<Formula>),
    IfNotExists(Path, Box<Formula>),
    ListAppend(Box<Formula>, Box<Formula>),
    /// One of the functions that DynamoDB does not have.
    Call(Function, Vec<Formula>),
}
