use super::{check_mistakes, item_with, schema};
use crate::expression::Update;
use crate::item::Attributes;

fn update(text: &str) -> Update {
    Update::parse(text).unwrap_or_else(|error| panic!("{}", error.render()))
}

/// The attributes afterwards, without the keys around them.
fn updated(text: &str, attributes: &str) -> Result<String, String> {
    let item = update(text).apply_to(&item_with(attributes), &schema())?;
    let json = String::from_utf8(item.json().to_vec()).expect("UTF-8");
    let inner = json.replace(r#""pk":{"S":"case|1"}"#, "").replace(r#""sk":{"S":"a"}"#, "");
    Ok(inner
        .trim_matches(['{', ','])
        .strip_suffix('}')
        .unwrap_or_default()
        .replace(",,", ",")
        .trim_matches(',')
        .to_owned())
}

#[test]
fn untouched_attributes_keep_their_bytes_and_copied_ones_too() {
    let before = r#""n":{"N":"1.00E1"},"t":{"S":"\u00e9\/"},"s":{"NS":["2.0","1"]}"#;
    assert_eq!(
        updated("SET a = t REMOVE n", before),
        Ok(r#""t":{"S":"\u00e9\/"},"s":{"NS":["2.0","1"]},"a":{"S":"\u00e9\/"}"#.to_owned())
    );
    assert_eq!(updated("REMOVE nothing", before), Ok(before.to_owned()));
    assert_eq!(
        updated("SET m = {x: 1.50}", r#""n":{"N":"1.00"}"#),
        Ok(r#""n":{"N":"1.00"},"m":{"M":{"x":{"N":"1.5"}}}"#.to_owned())
    );
    // Beside a changed value in a map, too, a number is spelled as it was.
    assert_eq!(
        updated("SET m.y = m.x + 1", r#""m":{"M":{"x":{"N":"1.00"}}}"#),
        Ok(r#""m":{"M":{"x":{"N":"1.00"},"y":{"N":"2"}}}"#.to_owned())
    );
}

#[test]
fn what_is_changed_stays_in_its_place() {
    let before = r#""a":{"N":"1"},"b":{"N":"2"},"m":{"M":{"x":{"N":"1"},"y":{"N":"2"},"z":{"N":"3"}}}"#;
    assert_eq!(
        updated("SET a = b, b = a, m.x = 'new' REMOVE m.y", before),
        Ok(r#""a":{"N":"2"},"b":{"N":"1"},"m":{"M":{"x":{"S":"new"},"z":{"N":"3"}}}"#.to_owned())
    );
}

#[test]
fn the_texts_of_keys_can_be_taken_apart_and_put_together() {
    for (value, result) in [
        (r#"upper(t)"#, "STRASSE|10 SS"),
        (r#"lower("ÄB")"#, "äb"),
        (r#"trim("  a ")"#, "a"),
        (r#"split(t, "|", 0)"#, "Strasse"),
        (r#"split(t, '|', 1)"#, "10 ß"),
        (r#"split(t, "|", -1)"#, "10 ß"),
        (r#"split(t, "none", 0)"#, "Strasse|10 ß"),
        (r#"join("|", "case", n, lower(split(t, "|", 0)))"#, "case|12.5|strasse"),
        (r#"join("", "a")"#, "a"),
        (r#"replace(t, "s", "")"#, "Strae|10 ß"),
        (r#"text(n)"#, "12.5"),
        (r#"if_not_exists(none, join("-", n, n))"#, "12.5-12.5"),
        ("join('|', if_not_exists(none, 'a'), pk)", "a|case|1"),
    ] {
        let after = updated(&format!("SET v = {value}"), r#""t":{"S":"Strasse|10 ß"},"n":{"N":"12.50"}"#);
        assert_eq!(
            after,
            Ok(format!(r#""t":{{"S":"Strasse|10 ß"}},"n":{{"N":"12.50"}},"v":{{"S":"{result}"}}"#)),
            "{value}"
        );
    }
    assert_eq!(
        updated("SET v = number(' 007.50') + 1", r#""n":{"N":"1"}"#),
        Ok(r#""n":{"N":"1"},"v":{"N":"8.5"}"#.to_owned())
    );
}

#[test]
fn what_cannot_be_worked_out_is_refused_with_the_reason() {
    let before = r#""t":{"S":"a|b"},"n":{"N":"1"},"l":{"L":[]},"m":{"M":{"x":{"N":"9e125"}}}"#;
    for (text, reason) in [
        ("SET a = none.x", "the item has no none.x"),
        ("SET a = n + t", "t is of type S, not a number"),
        ("SET a = list_append(l, n)", "n is of type N, not a list"),
        ("SET a = m.x + m.x", "smaller than 1E+126"),
        ("SET a = n + 1e40", "38 significant digits"),
        ("SET none.x = 1", "the item has no none"),
        ("SET l.x = 1", "l is no map"),
        ("REMOVE m[0]", "m is no list"),
        ("ADD t 1", "t is of type S, the operand of type N"),
        ("DELETE n <<1>>", "n is of type N, the operand of type NS"),
        ("SET a = split(t, '|', 2)", "has no part 2"),
        ("SET a = split(t, '|', -3)", "has no part -3"),
        ("SET a = split(t, '|', 0.5)", "0.5 is not an index"),
        ("SET a = upper(l)", "l is of type L, neither a text nor a number"),
        ("SET a = number(t)", "not a number"),
        ("SET pk = 'x'", "pk is part of the key"),
        ("REMOVE sk", "sk is part of the key"),
    ] {
        let said = updated(text, before).expect_err(text);
        assert!(said.contains(reason), "{text}: {said}");
    }
}

#[test]
fn an_update_that_fails_changes_nothing() {
    let item = item_with(r#""a":{"N":"1"},"m":{"M":{"x":{"N":"bad"}}}"#);
    for text in ["SET a = 2, b = none", "REMOVE a SET m.y = 1", "SET a = 2 ADD m.x 1"] {
        let mut attributes = Attributes::from(&item);
        assert!(update(text).apply(&mut attributes, &schema()).is_err(), "{text}");
        assert_eq!(attributes.json(), item.json(), "{text}");
    }
}

#[test]
fn keys_are_changed_only_by_permission() {
    let item = item_with(r#""n":{"N":"7"}"#);
    let text = "SET n = 1, pk = join('|', 'user', n)";
    let error = update(text).check_keys(&schema()).expect_err("a key");
    assert_eq!((error.line(), error.column()), (1, 12));
    assert!(update("SET n = pk, `pk ` = 1").check_keys(&schema()).is_ok());
    let changed = update(text).changing_keys().apply_to(&item, &schema()).expect("allowed");
    assert_eq!(changed.partition_value(), br#"{"S":"user|7"}"#);
    assert!(update("REMOVE pk").changing_keys().apply_to(&item, &schema()).is_err());
    assert!(update("SET pk = 5").changing_keys().apply_to(&item, &schema()).is_err());
    assert!(update("SET pk = ''").changing_keys().apply_to(&item, &schema()).is_err());
}

#[test]
fn limits_are_checked_at_the_end() {
    let long = "x".repeat(300_000);
    let error = updated("SET b = a", &format!(r#""a":{{"S":"{long}"}}"#)).expect_err("too large");
    assert!(error.contains("409600"), "{error}");
    let (open, close) = ("[".repeat(31), "]".repeat(31));
    assert!(updated(&format!("SET a = {open}1{close}"), r#""n":{"N":"1"}"#).is_ok());
    let error = updated(&format!("SET m.a = {open}1{close}"), r#""m":{"M":{}}"#).expect_err("too deep");
    assert!(error.contains("32 levels"), "{error}");
}

#[test]
fn several_updates_follow_each_other_on_one_list_of_attributes() {
    let item = item_with(r#""n":{"N":"1"},"m":{"M":{}}"#);
    let mut attributes = Attributes::from(&item);
    for text in ["SET m.a = [1]", "SET m.a[5] = m.a[0], k = m.a", "REMOVE m.a[0] SET n = k[0] + 1", "ADD roles <<'x'>>"]
    {
        update(text).apply(&mut attributes, &schema()).unwrap_or_else(|reason| panic!("{text}: {reason}"));
    }
    let json = String::from_utf8(attributes.json()).expect("UTF-8");
    assert!(json.contains(r#""n":{"N":"2"},"m":{"M":{"a":{"L":[{"N":"1"}]}}}"#), "{json}");
    assert!(json.ends_with(r#""k":{"L":[{"N":"1"}]},"roles":{"SS":["x"]}}"#), "{json}");
}

#[test]
fn a_mistake_is_marked_and_explained() {
    check_mistakes(
        |text| Update::parse(text).err(),
        &[
            ("", "", "SET, REMOVE, ADD or DELETE"),
            ("a = 1", "a", "SET, REMOVE, ADD or DELETE"),
            ("SET a", "", "`=`"),
            ("SET a = 1,", "", "the path of an attribute"),
            ("SET a = 1, REMOVE b", "REMOVE", "in backticks"),
            ("SET a = 1 SET b = 2", "SET", "once is enough"),
            ("SET a = 1 b = 2", "b", "a comma"),
            ("SET a = b + c + d", "+", "two operands"),
            ("SET a = (b + c) - d", "(b + c)", "two operands"),
            ("SET a = b + 'x'", "'x'", "expected a number"),
            ("SET a = list_append(b, 5)", "5", "expected a list"),
            ("SET a = list_append(b)", "list_append(b)", "list_append(list, list)"),
            ("SET a = if_not_exists('b', 1)", "if_not_exists('b', 1)", "path of an attribute"),
            ("SET a = if_not_exists(b, b)", "if_not_exists(b, b)", "no substitute"),
            ("SET a = size(b)", "size", "for conditions"),
            ("SET a = uper(b)", "uper", "upper(text)"),
            ("SET a = split(b, '', 0)", "split(b, '', 0)", "empty"),
            ("SET a = join('|')", "join('|')", "join(separator"),
            ("SET 'a b' = 1", "'a b'", "`a b`, in backticks"),
            ("REMOVE a, a", "a", "overlap"),
            ("SET m = 1 REMOVE m.x[0]", "m", "overlap"),
            ("SET m.x = 1, m[0] = 2", "m", "a map and for a list"),
            ("ADD a 'x'", "'x'", "a number or a set"),
            ("ADD a b", "b", "written in place"),
            ("DELETE a 1", "1", "expected a set"),
            ("ADD a <<1>> DELETE b", "", "a set, written in place"),
        ],
    );
}
