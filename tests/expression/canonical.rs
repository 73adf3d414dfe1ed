//! Items as text, equal exactly if the items are: numbers by value, sets and maps in one order.

use serde_json::Value;

/// An item of DynamoDB's JSON.
pub fn canonical(item: &Value) -> String {
    let mut members: Vec<String> = item
        .as_object()
        .expect("an item")
        .iter()
        .map(|(name, value)| format!("{name:?}:{}", attribute(value)))
        .collect();
    members.sort();
    format!("{{{}}}", members.join(","))
}

fn attribute(value: &Value) -> String {
    let (kind, value) = value.as_object().and_then(|typed| typed.iter().next()).expect("an attribute value");
    let each =
        |write: &dyn Fn(&Value) -> String| value.as_array().expect("an array").iter().map(write).collect::<Vec<_>>();
    let text = match kind.as_str() {
        "N" => number(value),
        "M" => canonical(value),
        "L" => each(&attribute).join(","),
        "SS" | "NS" | "BS" => {
            let mut elements = if kind == "NS" { each(&number) } else { each(&Value::to_string) };
            elements.sort();
            elements.join(",")
        }
        _ => value.to_string(),
    };
    format!("{kind}({text})")
}

/// Significant digits and the power of ten of the last one.
fn number(value: &Value) -> String {
    let text = value.as_str().expect("a number").to_lowercase();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return "0".to_owned();
    }
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    let power = exponent.parse::<i64>().expect("an exponent") - fraction.len() as i64 + zeros as i64;
    format!("{sign}{significant}e{power}")
}
