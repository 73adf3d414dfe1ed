//! DynamoDB's numbers: up to 38 significant digits, zero or a magnitude from 1E-130 to 9.99...E+125.
//!
//! 38 digits fit 128 bits, so a number is a few machine words: two of them are compared without an allocation, and sums
//! are exact.

use std::cmp::Ordering;
use std::fmt;

const MAX_DIGITS: u32 = 38;
/// Exponents of the first digit.
const LEAST: i64 = -130;
const GREATEST: i64 = 125;

/// Why a text or a result is not a number that DynamoDB stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotANumber {
    /// Not digits with an optional sign, point and exponent.
    Malformed,
    /// More than 38 significant digits.
    TooPrecise,
    /// A magnitude above 9.99...E+125.
    TooLarge,
    /// A magnitude below 1E-130 that is not zero.
    TooSmall,
}

impl fmt::Display for NotANumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a number",
            Self::TooPrecise => "a number has at most 38 significant digits",
            Self::TooLarge => "a number is smaller than 1E+126",
            Self::TooSmall => "a number is zero or at least 1E-130",
        })
    }
}

impl std::error::Error for NotANumber {}

/// An exact decimal number, `digits * 10^exponent`, in its only form: no trailing zeros in the digits, one zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    digits: u128,
    exponent: i16,
    negative: bool,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { digits: 0, exponent: 0, negative: false };

    /// Reads a number as DynamoDB does, such as `-12.50e3`.
    pub fn parse(text: &[u8]) -> Result<Self, NotANumber> {
        let (negative, mut rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let mut digits = 0u128;
        let mut significant = 0;
        // Zeros seen behind the digits: they count only if another digit follows.
        let mut zeros = 0;
        let mut fraction = 0i64;
        let mut pointed = false;
        let mut seen = false;
        while let [byte, behind @ ..] = rest {
            match byte {
                b'0'..=b'9' => {
                    seen = true;
                    fraction += i64::from(pointed);
                    if *byte == b'0' {
                        zeros += u32::from(significant > 0);
                    } else {
                        significant += zeros + 1;
                        if significant > MAX_DIGITS {
                            return Err(NotANumber::TooPrecise);
                        }
                        digits = digits * 10u128.pow(zeros + 1) + u128::from(byte - b'0');
                        zeros = 0;
                    }
                }
                b'.' if !pointed => pointed = true,
                b'e' | b'E' => break,
                _ => return Err(NotANumber::Malformed),
            }
            rest = behind;
        }
        if !seen {
            return Err(NotANumber::Malformed);
        }
        let written = match rest {
            [] => 0,
            [_, exponent @ ..] => parse_exponent(exponent)?,
        };
        Self::new(negative, digits, written - fraction + i64::from(zeros))
    }

    fn new(negative: bool, mut digits: u128, mut exponent: i64) -> Result<Self, NotANumber> {
        if digits == 0 {
            return Ok(Self::ZERO);
        }
        while digits.is_multiple_of(10) {
            digits /= 10;
            exponent += 1;
        }
        let places = digits.ilog10();
        let first = exponent + i64::from(places);
        if places >= MAX_DIGITS {
            return Err(NotANumber::TooPrecise);
        }
        match i16::try_from(exponent) {
            Ok(exponent) if (LEAST..=GREATEST).contains(&first) => Ok(Self { digits, exponent, negative }),
            _ if first < LEAST => Err(NotANumber::TooSmall),
            _ => Err(NotANumber::TooLarge),
        }
    }

    /// The exact sum; an error where DynamoDB would refuse it rather than round.
    pub fn plus(self, other: Self) -> Result<Self, NotANumber> {
        if self.digits == 0 {
            return Ok(other);
        }
        if other.digits == 0 {
            return Ok(self);
        }
        let (high, low) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        // Where the shift does not fit, the last digit of `low` stays behind more than 38 others.
        let shift = 10u128.checked_pow(u32::from(high.exponent.abs_diff(low.exponent)));
        let aligned = shift.and_then(|shift| high.digits.checked_mul(shift)).ok_or(NotANumber::TooPrecise)?;
        let exponent = i64::from(low.exponent);
        if high.negative == low.negative {
            let sum = aligned.checked_add(low.digits).ok_or(NotANumber::TooPrecise)?;
            Self::new(high.negative, sum, exponent)
        } else if aligned >= low.digits {
            Self::new(high.negative, aligned - low.digits, exponent)
        } else {
            Self::new(low.negative, low.digits - aligned, exponent)
        }
    }

    /// The exact difference, as [`Decimal::plus`].
    pub fn minus(self, other: Self) -> Result<Self, NotANumber> {
        self.plus(other.negated())
    }

    /// The number with the other sign.
    #[must_use]
    pub fn negated(self) -> Self {
        Self { negative: self.digits != 0 && !self.negative, ..self }
    }

    fn magnitude(&self, other: &Self) -> Ordering {
        if self.digits == 0 || other.digits == 0 {
            return self.digits.cmp(&other.digits);
        }
        let (mine, its) = (self.digits.ilog10(), other.digits.ilog10());
        let first = i64::from(self.exponent) + i64::from(mine);
        let others = i64::from(other.exponent) + i64::from(its);
        first.cmp(&others).then_with(|| {
            let longest = mine.max(its);
            (self.digits * 10u128.pow(longest - mine)).cmp(&(other.digits * 10u128.pow(longest - its)))
        })
    }
}

fn parse_exponent(text: &[u8]) -> Result<i64, NotANumber> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NotANumber::Malformed);
    }
    // What is far beyond the range stays beyond it, so it need not be exact.
    let magnitude = digits.iter().fold(0i64, |value, digit| (value * 10 + i64::from(digit - b'0')).min(1_000_000_000));
    Ok(if negative { -magnitude } else { magnitude })
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.magnitude(other),
            (true, true) => other.magnitude(self),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<u64> for Decimal {
    fn from(value: u64) -> Self {
        Self::new(false, u128::from(value), 0).unwrap_or(Self::ZERO)
    }
}

/// As DynamoDB returns numbers: plain digits, no exponent, no needless zeros.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        let digits = self.digits.to_string();
        let exponent = i32::from(self.exponent);
        let point = digits.len() as i32 + exponent;
        if exponent >= 0 {
            write!(f, "{digits}{:0<width$}", "", width = exponent as usize)
        } else if point > 0 {
            let (whole, fraction) = digits.split_at(point as usize);
            write!(f, "{whole}.{fraction}")
        } else {
            write!(f, "0.{:0<width$}{digits}", "", width = point.unsigned_abs() as usize)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Decimal {
        Decimal::parse(text.as_bytes()).unwrap_or_else(|fault| panic!("{text}: {fault}"))
    }

    #[test]
    fn one_number_has_one_form() {
        for (text, form) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("0E200", "0"),
            ("+5", "5"),
            ("1.0", "1"),
            ("-12.50e3", "-12500"),
            ("0.001", "0.001"),
            ("1E-3", "0.001"),
            (".5", "0.5"),
            ("5.", "5"),
            ("120.0340", "120.034"),
            ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
            ("123456789012345678901234567890123456780", "123456789012345678901234567890123456780"),
            ("0000000000000000000000000000000000000000001", "1"),
        ] {
            assert_eq!(number(text).to_string(), form, "{text}");
        }
        assert_eq!(number("1e125").to_string().len(), 126);
        assert_eq!(number("1e-130").to_string(), format!("0.{}1", "0".repeat(129)));
    }

    #[test]
    fn what_dynamodb_refuses_is_no_number() {
        use NotANumber::{Malformed, TooLarge, TooPrecise, TooSmall};
        for (text, fault) in [
            ("", Malformed),
            ("-", Malformed),
            (".", Malformed),
            ("1e", Malformed),
            ("1 ", Malformed),
            ("0x1", Malformed),
            ("1.2.3", Malformed),
            ("--1", Malformed),
            ("NaN", Malformed),
            ("1e126", TooLarge),
            ("-1e99999999999999999999", TooLarge),
            ("1e-131", TooSmall),
            ("123456789012345678901234567890123456789", TooPrecise),
            ("1.00000000000000000000000000000000000001", TooPrecise),
            (&"9".repeat(39), TooPrecise),
            (&"9".repeat(400), TooPrecise),
        ] {
            assert_eq!(Decimal::parse(text.as_bytes()), Err(fault), "{text}");
        }
    }

    #[test]
    fn sums_are_exact_or_refused() {
        let nines = "9".repeat(38);
        assert_eq!(number(&nines).plus(number("1")), Ok(number("1e38")));
        assert_eq!(number("1e38").minus(number("1")), Ok(number(&nines)));
        assert_eq!(number("0.1").plus(number("0.2")), Ok(number("0.3")));
        assert_eq!(number("1").minus(number("1")), Ok(Decimal::ZERO));
        assert_eq!(number("0").minus(number("0")).map(|zero| zero.to_string()).as_deref(), Ok("0"));
        assert_eq!(number("1e38").plus(number("1")), Err(NotANumber::TooPrecise));
        assert_eq!(number("9e38").minus(number("1")), Err(NotANumber::TooPrecise));
        assert_eq!(number("1e125").plus(number("1e-130")), Err(NotANumber::TooPrecise));
        assert_eq!(number("9e125").plus(number("1e125")), Err(NotANumber::TooLarge));
        assert_eq!(number("1.1e-130").minus(number("1e-130")), Err(NotANumber::TooSmall));
    }

    proptest! {
        #[test]
        fn small_numbers_are_compared_and_added_like_integers(
            a in -1_000_000i64..1_000_000,
            b in -1_000_000i64..1_000_000,
            scale in 0usize..6,
        ) {
            let scaled = |value: i64| number(&format!("{value}e-{scale}"));
            prop_assert_eq!(scaled(a).cmp(&scaled(b)), a.cmp(&b));
            prop_assert_eq!(scaled(a).plus(scaled(b)), Ok(scaled(a + b)));
            prop_assert_eq!(scaled(a).minus(scaled(b)), Ok(scaled(a - b)));
            prop_assert_eq!(number(&scaled(a).to_string()), scaled(a));
        }
    }
}
