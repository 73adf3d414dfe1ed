//! Transforms that do everything a transform may: pass, mark, drop, fan out, refuse.

use super::items::{name, parse};
use crate::item::RawItem;
use crate::transform::{KeyRule, Occasion, Transform};

/// What becomes of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Itself.
    PassThrough,
    /// Itself with a mark; shape 3 is dropped.
    Identity,
    /// As many outputs as its shape modulo 4, with keys of their own: `k7#0`, `k7#1`, ...
    Derived,
    /// Outputs with keys that depend on the shape alone, so that many items want the same: `z2`; and `z1` too for shape 5;
    /// shape 0 is dropped.
    Free,
}

#[derive(Debug)]
pub struct Shaper {
    pub kind: Kind,
    /// Whether shape 4 is refused.
    pub refuses: bool,
}

impl Transform for Shaper {
    fn name(&self) -> &str {
        "shaper"
    }

    fn keys(&self) -> KeyRule {
        match self.kind {
            Kind::PassThrough | Kind::Identity => KeyRule::Identity,
            Kind::Derived => KeyRule::Derived,
            Kind::Free => KeyRule::Free,
        }
    }

    fn owner(&self, output: &RawItem) -> Option<RawItem> {
        Some(parse(format!(r#"{{"pk":{{"S":"{}"}}}}"#, owner(name(output)))))
    }

    fn apply(&self, item: RawItem, _: &Occasion, outputs: &mut Vec<RawItem>) -> Result<(), String> {
        let shape = shape(&item);
        if self.refuses && shape == 4 {
            return Err("shaper: shape 4 is refused".to_owned());
        }
        match self.kind {
            Kind::PassThrough => outputs.push(item),
            Kind::Identity if shape == 3 => {}
            Kind::Identity => {
                let text = text(&item);
                outputs.push(parse(format!(r#"{},"mark":{{"S":"moved"}}}}"#, &text[..text.len() - 1])));
            }
            Kind::Derived => {
                let (key, rest) = (name(&item), text(&item).split_once(',').map_or("", |(_, rest)| rest));
                let output = |at| parse(format!(r#"{{"pk":{{"S":"{key}#{at}"}},{rest}"#));
                outputs.extend((0..shape % 4).map(output));
            }
            Kind::Free => {
                let rest = text(&item).split_once(',').map_or("", |(_, rest)| rest);
                let output = |slot: &u8| parse(format!(r#"{{"pk":{{"S":"z{slot}"}},{rest}"#));
                let slots: &[u8] = if shape == 5 { &[5, 1] } else { &[shape] };
                outputs.extend(slots.iter().filter(|slot| **slot > 0).map(output));
            }
        }
        Ok(())
    }
}

/// The source key that an output's key tells.
pub fn owner(output: &str) -> &str {
    output.split('#').next().unwrap_or(output)
}

fn text(item: &RawItem) -> &str {
    std::str::from_utf8(item.json()).expect("an item of the simulation is text")
}

fn shape(item: &RawItem) -> u8 {
    let (_, rest) = text(item).split_once(r#""a":{"N":""#).expect("an item of the simulation has a shape");
    rest.as_bytes()[0] - b'0'
}
