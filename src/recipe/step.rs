//! One step of a recipe.

use crate::expression::{Condition, Update, ValueExpression};
use crate::item::{Attributes, KeySchema, RawItem};

/// What is done to an item, if the condition holds for it.
#[derive(Debug)]
pub struct Step {
    pub when: Option<Condition>,
    /// Old names and new ones.
    pub rename: Vec<(String, String)>,
    pub update: Option<Update>,
    pub copy: Vec<Update>,
    pub emit: Vec<Vec<(String, ValueExpression)>>,
    pub drop: bool,
}

impl Step {
    /// The item as it is after the step, or `None` when it is dropped; what the step adds goes into `outputs`.
    pub fn apply(
        &self,
        item: RawItem,
        schema: &KeySchema,
        outputs: &mut Vec<RawItem>,
    ) -> Result<Option<RawItem>, String> {
        if let Some(when) = &self.when
            && !when.matches(&item)?
        {
            return Ok(Some(item));
        }
        let item = self.change(item, schema)?;
        for copy in &self.copy {
            outputs.push(copy.apply_to(&item, schema)?);
        }
        for attributes in &self.emit {
            outputs.push(emitted(attributes, &item, schema)?);
        }
        Ok((!self.drop).then_some(item))
    }

    /// Whether it drops what it selects.
    pub fn drops(&self) -> bool {
        self.drop
    }

    /// Whether it does anything to the item; also where that cannot be told.
    pub fn selects(&self, item: &RawItem) -> bool {
        self.when.as_ref().is_none_or(|when| when.matches(item).unwrap_or(true))
    }

    fn change(&self, item: RawItem, schema: &KeySchema) -> Result<RawItem, String> {
        if self.rename.is_empty() && self.update.is_none() {
            return Ok(item);
        }
        let mut attributes = Attributes::from(&item);
        for (old, new) in &self.rename {
            rename(&mut attributes, old, new)?;
        }
        if let Some(update) = &self.update {
            update.apply(&mut attributes, schema)?;
        }
        checked(&attributes, schema)
    }
}

fn rename(attributes: &mut Attributes, old: &str, new: &str) -> Result<(), String> {
    let Some(value) = attributes.get(old) else { return Ok(()) };
    if attributes.contains(new) {
        return Err(format!("{old} cannot be renamed: the item has {new} already"));
    }
    match value {
        crate::item::Attribute::Raw(json) => {
            let json = attributes.share(json);
            attributes.remove(old);
            attributes.set_raw(new, json);
        }
        crate::item::Attribute::Value(value) => {
            let value = value.clone();
            attributes.remove(old);
            attributes.set(new, value);
        }
    }
    Ok(())
}

fn emitted(values: &[(String, ValueExpression)], item: &RawItem, schema: &KeySchema) -> Result<RawItem, String> {
    let mut attributes = Attributes::new();
    for (name, value) in values {
        attributes.set(name, value.evaluate(item).map_err(|reason| format!("emit: {name}: {reason}"))?);
    }
    checked(&attributes, schema).map_err(|reason| format!("emit: {reason}"))
}

fn checked(attributes: &Attributes, schema: &KeySchema) -> Result<RawItem, String> {
    let item = attributes.to_item(schema).map_err(|fault| format!("the item has no valid key: {fault}"))?;
    item.check_limits(schema).map_err(|broken| broken.to_string())?;
    Ok(item)
}
