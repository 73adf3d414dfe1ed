//! Hands the engine the files that were read when the script was loaded, and no others.

use std::sync::Arc;

use rquickjs::loader::{self, ImportAttributes};
use rquickjs::module::Declared;
use rquickjs::{Ctx, Error, Module, Result};

use super::source::Sources;

/// From the name in an `import` to a file.
pub(super) struct Resolver(pub Arc<Sources>);

impl loader::Resolver for Resolver {
    fn resolve(&mut self, _: &Ctx<'_>, base: &str, name: &str, _: Option<ImportAttributes<'_>>) -> Result<String> {
        self.0.resolve(base, name).map(str::to_owned).ok_or_else(|| {
            let message = "a script imports files in `import` statements, not while it runs";
            Error::new_resolving_message(base, name, message)
        })
    }
}

/// From a file to its code.
pub(super) struct Loader(pub Arc<Sources>);

impl loader::Loader for Loader {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        let source = self.0.get(name).ok_or_else(|| Error::new_loading(name))?;
        Module::declare(ctx.clone(), name, source.code.as_str())
    }
}
