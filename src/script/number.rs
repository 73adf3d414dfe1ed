//! Numbers, between DynamoDB's decimal digits and JavaScript's doubles.

use crate::item::{Decimal, NotANumber};

/// Greater integers are not all there: 2^53 + 1 is 2^53.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// The double that a decimal number can be handed over as, and computed with, without a digit being lost.
pub(super) fn double(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    if digits.len() <= 15 && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
        let value = digits.iter().fold(0u64, |value, digit| value * 10 + u64::from(digit - b'0')) as f64;
        return Some(if bytes.len() > digits.len() && value != 0.0 { -value } else { value });
    }
    let value: f64 = text.parse().ok()?;
    let is_safe = value.is_finite() && (value.fract() != 0.0 || value.abs() <= MAX_SAFE_INTEGER);
    let is_same = || Decimal::parse(text.as_bytes()).ok() == Decimal::parse(digits_of(value).as_bytes()).ok();
    is_safe.then_some(value).filter(|_| is_same())
}

/// The shortest digits that mean this double.
fn digits_of(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let size = value.abs();
    if (1e-7..1e21).contains(&size) { value.to_string() } else { format!("{value:e}") }
}

/// A double as DynamoDB writes it, or why it cannot be one of its numbers.
pub(super) fn written(value: f64) -> Result<String, String> {
    if !value.is_finite() {
        return Err(format!(
            "{} is not a number that DynamoDB stores",
            if value.is_nan() { "NaN" } else { "Infinity" }
        ));
    }
    if value.fract() == 0.0 && value.abs() > MAX_SAFE_INTEGER {
        return Err(format!(
            "{} is an integer above Number.MAX_SAFE_INTEGER, whose last digits are lost: compute it with BigInt",
            digits_of(value)
        ));
    }
    let digits = digits_of(value);
    stored(&digits)?;
    Ok(digits)
}

/// Whether DynamoDB stores this number; if not, why.
pub(super) fn stored(digits: &str) -> Result<Decimal, String> {
    Decimal::parse(digits.as_bytes()).map_err(|fault| match fault {
        NotANumber::Malformed => format!("{digits:?} is not a number"),
        other => format!("{digits} is not a number that DynamoDB stores: {other}"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_double_is_given_where_it_holds_the_digits() {
        for (text, value) in [
            ("0", Some(0.0)),
            ("-0", Some(0.0)),
            ("-7", Some(-7.0)),
            ("1.0", Some(1.0)),
            ("1.50E+3", Some(1500.0)),
            ("0.1", Some(0.1)),
            ("9007199254740991", Some(9_007_199_254_740_991.0)),
            ("9007199254740993", None),
            ("9007199254740992", None),
            ("0.1000000000000000055511151231257827", None),
            ("12345678901234567890123456789012345678", None),
            ("1E+125", None),
            ("1e-130", Some(1e-130)),
            ("3.14159265358979323846", None),
        ] {
            assert_eq!(double(text), value, "{text}");
        }
    }

    #[test]
    fn what_dynamodb_cannot_store_is_said() {
        assert_eq!(written(1500.0).as_deref(), Ok("1500"));
        assert_eq!(written(-0.0).as_deref(), Ok("0"));
        assert_eq!(written(1e-9).as_deref(), Ok("1e-9"));
        assert_eq!(written(0.1 + 0.2).as_deref(), Ok("0.30000000000000004"));
        for (value, part) in
            [(f64::NAN, "NaN"), (f64::INFINITY, "Infinity"), (1e21, "BigInt"), (1e-300, "1E-130"), (5e-324, "1E-130")]
        {
            assert!(written(value).is_err_and(|reason| reason.contains(part)), "{value}");
        }
        assert!(stored("1x").is_err_and(|reason| reason.contains("not a number")));
        assert!(stored(&"1".repeat(39)).is_err_and(|reason| reason.contains("38")));
    }

    proptest! {
        #[test]
        fn a_double_comes_back_as_itself(value in any::<f64>()) {
            if let Ok(digits) = written(value) {
                prop_assert_eq!(double(&digits), Some(value + 0.0));
            }
        }
    }
}
