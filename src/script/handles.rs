//! What the engine keeps of a context between two calls: values of the prelude and of the script, by number.

use rquickjs::runtime::UserDataGuard;
use rquickjs::{Ctx, Error, Function, Result, Value};

/// Values that a script cannot reach or exchange.
pub(super) struct Handles<'h, 'js>(UserDataGuard<'h, Vec<Value<'js>>>);

impl<'h, 'js> Handles<'h, 'js> {
    /// `Object.prototype`.
    pub const PLAIN_PROTOTYPE: usize = 0;
    /// From an array to a `Set`.
    pub const MAKE_SET: usize = 1;
    /// From digits to a `NumberValue`.
    pub const MAKE_NUMBER: usize = 2;
    /// From a value to what it is to DynamoDB.
    pub const DESCRIBE: usize = 3;
    /// The second argument of `migrateItems`.
    pub const DOCUMENT_CLIENT: usize = 4;
    /// The third.
    pub const APPLICATION_CONTEXT: usize = 5;
    /// What the script exports.
    pub const MIGRATE_ITEMS: usize = 6;
    pub const OWNER: usize = 7;

    /// Keeps the values for the life of the context.
    pub fn keep(ctx: &Ctx<'js>, values: Vec<Value<'js>>) -> Result<()> {
        ctx.store_userdata(values).map(drop).map_err(|_| Error::Unknown)
    }

    pub fn of(ctx: &'h Ctx<'js>) -> Result<Self> {
        ctx.userdata::<Vec<Value<'js>>>().map(Self).ok_or(Error::Unknown)
    }

    pub fn value(&self, number: usize) -> Result<Value<'js>> {
        self.0.get(number).cloned().ok_or(Error::Unknown)
    }

    pub fn function(&self, number: usize) -> Result<Function<'js>> {
        Function::from_value(self.value(number)?)
    }
}
