//! Capacity units and the rates that an operator asks for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Read and write units are counted per side; the arithmetic is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The source: read capacity units, 4 KB of consistent reads each.
    Read,
    /// The destination: write capacity units, 1 KB each.
    Write,
}

impl Side {
    /// The unit's name as operators write it, `rcu` or `wcu`.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Read => "rcu",
            Self::Write => "wcu",
        }
    }
}

/// A rate as asked for: `4000wcu`, `4000`, `50%`, `auto` or `unlimited`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum RateSpec {
    /// Capacity units per second.
    Units(f64),
    /// Per cent of the table's capacity, 0 < p ≤ 100.
    Percent(f64),
    /// Climb until the table throttles, then stay below.
    Auto,
    /// No limit.
    Unlimited,
}

impl RateSpec {
    /// Parses a rate for one side; a unit of the other side is an error.
    pub fn parse(side: Side, text: &str) -> Result<Self, String> {
        let text = text.trim().to_ascii_lowercase();
        let unit = side.unit();
        let example = format!("expected for example 4000{unit}, 50%, auto or unlimited");
        let positive = |number: &str| match f64::from_str(number.trim()) {
            Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
            _ => Err(format!("`{text}` is not a rate: {example}")),
        };
        match text.as_str() {
            "auto" => return Ok(Self::Auto),
            "unlimited" => return Ok(Self::Unlimited),
            _ => {}
        }
        if let Some(number) = text.strip_suffix('%') {
            let percent = positive(number)?;
            if percent > 100.0 {
                return Err(format!("`{text}` is more than the table has: use at most 100%"));
            }
            return Ok(Self::Percent(percent));
        }
        let number = text.strip_suffix(unit).unwrap_or(&text);
        if number.ends_with("rcu") || number.ends_with("wcu") {
            return Err(format!("`{text}` has the unit of the other side: {example}"));
        }
        positive(number).map(Self::Units)
    }
}

impl fmt::Display for RateSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Units(units) => write!(f, "{units}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Auto => f.write_str("auto"),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

/// A rate with the table's capacity known: what the limiter enforces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// Capacity units per second.
    Fixed(f64),
    /// Found by probing, beginning at `start` units per second.
    Auto {
        /// First rate tried, units per second.
        start: f64,
    },
    /// No limit.
    Unlimited,
}

/// Bytes that one write capacity unit covers.
const WRITE_UNIT_BYTES: u64 = 1024;

/// Write capacity units for putting an item of `bytes` (DynamoDB's item size, not its JSON).
pub fn write_units(bytes: u64) -> f64 {
    bytes.div_ceil(WRITE_UNIT_BYTES).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_in_every_form_of_the_manual() {
        assert_eq!(RateSpec::parse(Side::Write, "4000wcu"), Ok(RateSpec::Units(4000.0)));
        assert_eq!(RateSpec::parse(Side::Read, " 12000 RCU "), Ok(RateSpec::Units(12000.0)));
        assert_eq!(RateSpec::parse(Side::Read, "50%"), Ok(RateSpec::Percent(50.0)));
        assert_eq!(RateSpec::parse(Side::Read, "auto"), Ok(RateSpec::Auto));
        assert_eq!(RateSpec::parse(Side::Write, "unlimited"), Ok(RateSpec::Unlimited));
    }

    #[test]
    fn a_rate_that_makes_no_sense_is_refused_with_an_example() {
        for text in ["", "0", "-5", "fast", "NaN", "inf", "150%", "4000rcu", "0%", "wcu"] {
            assert!(RateSpec::parse(Side::Write, text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_started_kilobyte_costs_a_write_unit() {
        assert_eq!(write_units(0), 1.0);
        assert_eq!(write_units(1024), 1.0);
        assert_eq!(write_units(1025), 2.0);
    }
}
