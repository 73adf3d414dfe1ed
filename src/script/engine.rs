//! One JavaScript context with the script in it, and the limits that hold each call.

use std::sync::Arc;

use rquickjs::context::{EvalOptions, intrinsic};
use rquickjs::function::Args;
use rquickjs::{Array, Context, Ctx, Function, Module, Object, Promise, Runtime, Value};

use super::cases;
use super::exports::Exports;
use super::failure::{Failure, FilePlace, Trouble, name_of, thrown};
use super::handles::Handles;
use super::incoming::{Given, Incoming};
use super::limits::Limits;
use super::loader::{Loader, Resolver};
use super::lookups;
use super::mistake::Place;
use super::outgoing::{Flaw, Outgoing, Written};
use super::source::Sources;
use super::watch::Watch;
use crate::item::{KeySchema, RawItem};
use crate::lookup::Lookup;

const PRELUDE: &str = include_str!("prelude.js");
const PRELUDE_NAME: &str = "tableferry";
/// Output that a script may make of one item.
const MAX_OUTPUTS: usize = 10_000;
/// What a call may use of the thread's stack. Calls nest three deep (a question, a getter among its parameters), a
/// thread has 2 MB.
const STACK_BYTES: usize = 384 << 10;

/// What contexts are made of.
pub(super) struct Ingredients<'a> {
    pub sources: &'a Arc<Sources>,
    pub limits: &'a Limits,
    /// The source table's name.
    pub table: &'a str,
    /// The keys of the items in its cases, if they are wanted.
    pub cases: Option<&'a KeySchema>,
}

/// A context in which the script has been loaded.
pub(super) struct Engine {
    context: Context,
    watch: Arc<Watch>,
    sources: Arc<Sources>,
    limits: Limits,
    /// Whether it has transformed an item before.
    pub has_served: bool,
}

impl Engine {
    /// A fresh context, and what the script exports.
    pub fn new(ingredients: Ingredients<'_>) -> Result<(Self, Exports), Failure> {
        let failed = |error: rquickjs::Error| Failure::Spent(format!("no context could be made: {error}"));
        let runtime = Runtime::new().map_err(failed)?;
        runtime.set_memory_limit(ingredients.limits.memory_bytes);
        runtime.set_max_stack_size(STACK_BYTES);
        let watch = Arc::new(Watch::new());
        let watching = Arc::clone(&watch);
        runtime.set_interrupt_handler(Some(Box::new(move || watching.is_over())));
        let watching = Arc::clone(&watch);
        runtime.set_host_promise_rejection_tracker(Some(Box::new(move |ctx, _, reason, is_handled| {
            if is_handled {
                watching.handled();
            } else {
                watching.rejected(thrown(&ctx, &reason).text);
            }
        })));
        runtime.set_loader(Resolver(Arc::clone(ingredients.sources)), Loader(Arc::clone(ingredients.sources)));
        let context = Context::builder()
            .with::<intrinsic::Date>()
            .with::<intrinsic::Eval>()
            .with::<intrinsic::RegExpCompiler>()
            .with::<intrinsic::RegExp>()
            .with::<intrinsic::Json>()
            .with::<intrinsic::Proxy>()
            .with::<intrinsic::MapSet>()
            .with::<intrinsic::TypedArrays>()
            .with::<intrinsic::Promise>()
            .build(&runtime)
            .map_err(failed)?;
        let engine = Self {
            context,
            watch,
            sources: Arc::clone(ingredients.sources),
            limits: *ingredients.limits,
            has_served: false,
        };
        engine.watch.start(engine.limits.time);
        let exports = engine.context.with(|ctx| {
            let loaded = engine.load(&ctx, &ingredients);
            loaded.map_err(|error| engine.explain(&ctx, error))
        })?;
        Ok((engine, exports))
    }

    /// What the script wrote to its console in the last call.
    pub fn console(&self) -> Vec<String> {
        self.watch.take_console()
    }

    fn load(&self, ctx: &Ctx<'_>, ingredients: &Ingredients<'_>) -> Result<Exports, Trouble> {
        let prelude = prelude(ctx, &self.watch, ingredients)?;
        let exported: Function<'_> = prelude.get("exported")?;
        let handles: Array<'_> = prelude.get("handles")?;
        let main = &self.sources.main;
        let source = self.sources.get(main).ok_or(rquickjs::Error::Unknown)?;
        let commonjs = Object::new(ctx.clone())?;
        if !source.is_module {
            commonjs.set("exports", Object::new(ctx.clone())?)?;
            ctx.globals().set("module", commonjs.clone())?;
            ctx.globals().set("exports", commonjs.get::<_, Value<'_>>("exports")?)?;
        }
        let module = Module::declare(ctx.clone(), main.as_str(), source.code.as_str())?;
        let (module, loaded) = module.eval()?;
        self.settle(ctx, loaded.into_value())?;
        let found: Object<'_> = exported.call((module.namespace()?, commonjs.get::<_, Value<'_>>("exports")?))?;
        let mut exports = Exports::read(&found)?;
        let mut values: Vec<Value<'_>> = handles.iter().collect::<rquickjs::Result<_>>()?;
        values.extend([found.get("migrateItems")?, found.get("owner")?]);
        Handles::keep(ctx, values)?;
        if let Some(schema) = ingredients.cases {
            exports.cases = cases::read(&found, &Handles::of(ctx)?, schema)?;
        }
        Ok(exports)
    }

    /// Hands the items to the script, and appends what comes back. Other items come from `lookup`, if that is given.
    pub fn migrate(
        &self,
        items: &[RawItem],
        schema: &KeySchema,
        lookup: Option<&Arc<dyn Lookup>>,
        outputs: &mut Vec<RawItem>,
    ) -> Result<(), Failure> {
        self.watch.start(self.limits.time);
        self.watch.lend(lookup.cloned());
        let done = self.context.with(|ctx| {
            let done = self.migrate_in(&ctx, items, schema, outputs);
            done.map_err(|trouble| {
                let failure = self.explain(&ctx, trouble);
                // What was begun must not go on while the next item is at hand.
                match self.finish_jobs(&ctx) {
                    Ok(()) => failure,
                    Err(_) => Failure::Spent(failure.to_string()),
                }
            })
        });
        self.watch.lend(None);
        done
    }

    fn migrate_in(
        &self,
        ctx: &Ctx<'_>,
        items: &[RawItem],
        schema: &KeySchema,
        outputs: &mut Vec<RawItem>,
    ) -> Result<(), Trouble> {
        let handles = Handles::of(ctx)?;
        let incoming = Incoming::new(ctx, &handles);
        let array = Array::new(ctx.clone())?;
        let mut given = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let object = incoming.item(item.json())?;
            array.set(index, object.value.clone())?;
            given.push(object);
        }
        let mut arguments = Args::new(ctx.clone(), 3);
        arguments.push_arg(array)?;
        arguments.push_arg(handles.value(Handles::DOCUMENT_CLIENT)?)?;
        arguments.push_arg(handles.value(Handles::APPLICATION_CONTEXT)?)?;
        let result: Value<'_> = handles.function(Handles::MIGRATE_ITEMS)?.call_arg(arguments)?;
        let result = self.settle(ctx, result)?;
        let Some(results) = result.as_array() else {
            return Err(Trouble::Reason(format!(
                "migrateItems gave {}, not an array of items; return the items",
                name_of(&result)
            )));
        };
        if results.len() > MAX_OUTPUTS.saturating_mul(items.len().max(1)) {
            return Err(Trouble::Reason(format!("migrateItems gave {} items of {}", results.len(), items.len())));
        }
        let mut outgoing = Outgoing::new(&handles)?;
        for index in 0..results.len() {
            let value: Value<'_> = results.get(index)?;
            let source = source(&value, &given, schema);
            let wrong = |reason: String| match results.len() {
                1 => Trouble::Reason(reason),
                _ => Trouble::Reason(format!("output {}: {reason}", index + 1)),
            };
            let written = match outgoing.item(&value, source.map(|at| &given[at])) {
                Ok(written) => written,
                Err(Flaw::Value { path, reason }) => return Err(wrong(Flaw::describe(&path, &reason))),
                Err(Flaw::Engine(error)) => return Err(error.into()),
            };
            outputs.push(match (written, source) {
                (Written::Same, Some(at)) => items[at].clone(),
                (Written::Same, None) => return Err(wrong("an item without attributes".to_owned())),
                (Written::Json(json), _) => lookups::item(json, schema).map_err(wrong)?,
            });
        }
        self.check_unhandled()
    }

    /// The key attributes of the item that an output with these comes from.
    pub fn owner(&self, key: &[u8], schema: &KeySchema) -> Result<RawItem, Failure> {
        self.watch.start(self.limits.time);
        self.context.with(|ctx| {
            let found = || -> Result<RawItem, Trouble> {
                let handles = Handles::of(&ctx)?;
                let given = Incoming::new(&ctx, &handles).item(key)?;
                let result: Value<'_> = handles.function(Handles::OWNER)?.call((given.value,))?;
                let result = self.settle(&ctx, result)?;
                match Outgoing::new(&handles)?.item(&result, None)? {
                    Written::Json(json) => lookups::item(json, schema).map_err(Trouble::Reason),
                    Written::Same => Err(Trouble::Reason("owner gave an item without attributes".to_owned())),
                }
            };
            found().map_err(|trouble| self.explain(&ctx, trouble))
        })
    }

    /// Waits for a promise, and for all others that were begun.
    fn settle<'js>(&self, ctx: &Ctx<'js>, value: Value<'js>) -> Result<Value<'js>, Trouble> {
        self.finish_jobs(ctx)?;
        match value.as_promise().map(Promise::result::<Value<'js>>) {
            None => Ok(value),
            Some(Some(result)) => Ok(result?),
            Some(None) => Err(Trouble::Reason("it waits for a promise that nothing will ever resolve".to_owned())),
        }
    }

    fn finish_jobs(&self, ctx: &Ctx<'_>) -> Result<(), Trouble> {
        while ctx.execute_pending_job() {
            if self.watch.has_fired() || self.watch.is_over() {
                return Err(Trouble::Engine(rquickjs::Error::Exception));
            }
        }
        Ok(())
    }

    fn check_unhandled(&self) -> Result<(), Trouble> {
        match self.watch.unhandled() {
            None => Ok(()),
            Some(reason) => {
                Err(Trouble::Reason(format!("{reason}; it happened where nothing waits: await the promise")))
            }
        }
    }

    fn explain(&self, ctx: &Ctx<'_>, trouble: Trouble) -> Failure {
        let error = match trouble {
            Trouble::Reason(reason) => return Failure::Refused { reason, place: None },
            Trouble::Engine(error) => error,
        };
        let caught = ctx.catch();
        let thrown = matches!(error, rquickjs::Error::Exception).then(|| thrown(ctx, &caught));
        // To show what was thrown may run code of the script.
        if self.watch.has_fired() {
            let time = self.limits.time;
            return Failure::Spent(format!("it did not finish within {time:?}"));
        }
        let megabytes = self.limits.memory_bytes >> 20;
        let is_out_of_memory = match &error {
            rquickjs::Error::Allocation => true,
            rquickjs::Error::Exception | rquickjs::Error::Unknown => {
                caught.as_exception().is_some_and(|error| error.message().as_deref() == Some("out of memory"))
            }
            _ => false,
        };
        if is_out_of_memory {
            return Failure::Spent(format!("it needs more than {megabytes} MB of memory"));
        }
        if caught.is_null() {
            // Where no memory is left for an error, this is what is thrown.
            return Failure::Spent(format!("it threw null, or needs more than {megabytes} MB of memory"));
        }
        match thrown {
            Some(thrown) => {
                let place = thrown.stack.and_then(|stack| self.place(&stack));
                Failure::Refused { reason: thrown.text, place }
            }
            None => Failure::Refused { reason: error.to_string(), place: None },
        }
    }

    /// The innermost frame that is the script's.
    fn place(&self, stack: &str) -> Option<FilePlace> {
        stack.lines().find_map(|frame| {
            let frame = frame.trim().trim_end_matches(')');
            let place = frame.rsplit([' ', '(']).next()?;
            let mut parts = place.rsplitn(3, ':');
            let (column, line, file) = (parts.next()?, parts.next()?, parts.next()?);
            let text = &self.sources.get(file)?.text;
            let place = Place::in_line(text, line.parse().ok()?, column.parse().ok()?);
            Some(FilePlace { file: file.to_owned(), place })
        })
    }
}

/// Which of the given items an output is compared with: itself, the one with its key, or the only one.
fn source<'js>(value: &Value<'js>, given: &[Given<'js, '_>], schema: &KeySchema) -> Option<usize> {
    if let [_] = given {
        return Some(0);
    }
    if let Some(same) = given.iter().position(|given| given.value == *value) {
        return Some(same);
    }
    let output = value.as_object()?;
    let names = std::iter::once(&schema.partition).chain(schema.sort.as_ref());
    let mut keys = Vec::new();
    for attribute in names {
        keys.push((attribute.name(), output.get::<_, Value<'js>>(attribute.name()).ok()?));
    }
    given.iter().position(|given| {
        keys.iter().all(|(name, key)| {
            let before = given.value.as_object().and_then(|before| before.get::<_, Value<'js>>(*name).ok());
            let is_same_text =
                || Some(before.as_ref()?.as_string()?.to_string().ok()? == key.as_string()?.to_string().ok()?);
            before.as_ref() == Some(key) || is_same_text() == Some(true)
        })
    })
}

fn prelude<'js>(ctx: &Ctx<'js>, watch: &Arc<Watch>, ingredients: &Ingredients<'_>) -> Result<Object<'js>, Trouble> {
    let mut options = EvalOptions::default();
    options.filename = Some(PRELUDE_NAME.to_owned());
    let install: Function<'js> = ctx.eval_with_options(PRELUDE, options)?;
    let native = Object::new(ctx.clone())?;
    let watching = Arc::clone(watch);
    native.set("log", Function::new(ctx.clone(), move |line: String| watching.say(&line))?)?;
    native.set("lookup", lookups::function(ctx, watch)?)?;
    let settings = Object::new(ctx.clone())?;
    settings.set("now", ingredients.limits.now_ms as f64)?;
    settings.set("table", ingredients.table)?;
    Ok(install.call((native, settings))?)
}
