use proptest::prelude::*;

use super::{check_mistakes, item, item_with};
use crate::expression::{Condition, Template, Update};

fn holds(condition: &str, attributes: &str) -> bool {
    let condition = Condition::parse(condition).unwrap_or_else(|error| panic!("{}", error.render()));
    condition.matches(&item_with(attributes)).expect("sound values")
}

#[test]
fn quotes_make_values_and_backticks_make_names() {
    let attributes = r#""a":{"M":{"b":{"L":[{"S":"x"},{"S":"y"},{"M":{"odd name":{"S":"z"}}}]}}},"odd.name":{"S":"o"}"#;
    assert!(holds(r#"a.b[2]."odd name" = "z""#, attributes));
    assert!(holds("a.b[2].'odd name' = 'z'", attributes));
    assert!(holds("a.`b`[2].`odd name` = 'z'", attributes));
    assert!(holds("`odd.name` = 'o'", attributes));
    assert!(!holds("'odd.name' = 'o'", attributes));
    assert!(holds(r#""it's" = 'it\'s'"#, attributes));
}

#[test]
fn reserved_words_are_names_and_words_of_the_language_too_in_backticks_or_behind_a_dot() {
    let attributes =
        r#""status":{"N":"1"},"size":{"N":"2"},"set":{"N":"3"},"and":{"N":"4"},"null":{"M":{"not":{"N":"5"}}}"#;
    for condition in ["status = 1", "size = 2", "SIZE <> 2", "set = 3", "`and` = 4", "`null`.not = 5", "contains <> 1"]
    {
        assert!(holds(condition, attributes), "{condition}");
    }
    assert!(holds("size(`null`) = 1 AND size = 2", attributes));
}

#[test]
fn every_kind_of_value_can_be_written_in_place() {
    for (attribute, literal) in [
        (r#"{"S":"é\n\"\u0001"}"#, r#""é\n\"\u0001""#),
        (r#"{"N":"-0.50"}"#, "-5e-1"),
        (r#"{"N":"12345678901234567890123456789012345678"}"#, "12345678901234567890123456789012345678"),
        (r#"{"B":"AAEC"}"#, r#"b64"AAEC""#),
        (r#"{"BOOL":false}"#, "FALSE"),
        (r#"{"NULL":true}"#, "null"),
        (r#"{"L":[{"N":"1"},{"L":[]},{"M":{"a b":{"S":"c"}}}]}"#, r#"[1, [], {"a b": 'c'}]"#),
        (r#"{"M":{"x":{"BOOL":true},"y":{"M":{}}}}"#, "{y: {}, `x`: true}"),
        (r#"{"SS":["a","b"]}"#, r#"<<"b","a">>"#),
        (r#"{"NS":["1","-2"]}"#, "<<-2.0, 1>>"),
        (r#"{"BS":["AA==","AQ=="]}"#, r#"<< b64"AQ==", b64'AA==' >>"#),
    ] {
        let attributes = format!(r#""v":{attribute}"#);
        assert!(holds(&format!("v = {literal}"), &attributes), "{literal}");
        assert!(!holds(&format!("v <> {literal}"), &attributes), "{literal}");
        assert!(!holds("v = 'else'", &attributes), "{literal}");
    }
}

#[test]
fn attributes_are_found_whatever_is_around_them_and_however_they_are_spelled() {
    let condition =
        |text: &str, json: &str| Condition::parse(text).expect("valid").matches(&item(json)).expect("sound");
    // Only nested, only as a value, behind it, between the keys, before them, at the end.
    let decoy = r#"{"x":{"M":{"a":{"N":"1"}}},"y":{"S":"a"},"pk":{"S":"a"},"sk":{"S":"\"a\":"}}"#;
    assert!(condition("attribute_not_exists(a)", decoy));
    assert!(condition("x.a = 1 AND y = 'a' AND pk = 'a'", decoy));
    for json in [
        r#"{"a":{"N":"1"},"pk":{"S":"k"},"sk":{"S":"k"}}"#,
        r#"{"x":{"M":{"a":{"N":"2"}}},"pk":{"S":"k"},"a":{"N":"1"},"sk":{"S":"k"}}"#,
        r#"{"pk":{"S":"a"},"sk":{"S":"a"},"y":{"S":"a"},"a":{"N":"1"}}"#,
        r#"{ "pk" : {"S" : "k"} , "sk":{"S":"k"}, "a" : { "N" : "1" } }"#,
        r#"{"pk":{"S":"k"},"sk":{"S":"k"},"\u0061":{"N":"1"}}"#,
        r#"{"\u0061":{"N":"1"},"\u0070k":{"S":"k"},"sk":{"S":"k"},"x":{"M":{"a":{"N":"2"}}}}"#,
    ] {
        assert!(condition("a = 1", json), "{json}");
        assert!(condition("attribute_not_exists(zz) AND a = 1 AND attribute_exists(pk) AND sk <> a", json), "{json}");
        assert!(!condition("attribute_exists(b)", json), "{json}");
    }
    let odd = r#"{"a/b":{"N":"1"},"q\"q":{"N":"2"},"pk":{"S":"k"},"c\/d":{"N":"3"},"sk":{"S":"k"}}"#;
    assert!(condition("`a/b` = 1 AND `q\"q` = 2 AND `c/d` = 3", odd));
}

#[test]
fn a_value_that_is_none_is_an_error_and_no_verdict() {
    let matches =
        |text: &str| Condition::parse(text).expect("valid").matches(&item_with(r#""n":{"N":"1e999"},"b":{"B":"?"}"#));
    assert!(matches("n = 1").is_err());
    assert!(matches("b < b64\"AA==\"").is_err());
    assert_eq!(matches("n = 'a'"), Ok(false));
    assert_eq!(matches("attribute_exists(n) AND attribute_type(b, 'B')"), Ok(true));
}

#[test]
fn a_mistake_is_marked_and_explained() {
    check_mistakes(
        |text| Condition::parse(text).err(),
        &[
            ("", "", "found the end"),
            ("a =", "", "an attribute or a value"),
            ("a", "", "a comparison"),
            ("begin_with(pk, 'x')", "begin_with", "begins_with(path, start)"),
            ("Attribute_Exists(a)", "Attribute_Exists", "attribute_exists(path)"),
            ("frobnicate(a)", "frobnicate", "there is attribute_exists"),
            ("list_append(a, b) = 1", "list_append", "for the values of an update"),
            ("upper(a) = 'X'", "upper", "for the values of an update"),
            ("attribute_exists(a) = true", "attribute_exists(a)", "a condition by itself"),
            ("a = attribute_exists(b)", "attribute_exists(", "a condition by itself"),
            ("size(a)", "", "a comparison"),
            ("size(5) = 1", "5", "has no size"),
            ("attribute_exists('a b')", "'a b'", "`a b`, in backticks"),
            ("attribute_exists(a, b)", ",", "attribute_exists(path)"),
            ("attribute_type(a, 'STRING')", "'STRING'", "BOOL"),
            ("begins_with(a, 5)", "begins_with(a, 5", "texts or binary"),
            ("a < true", "a < true", "type BOOL have no order"),
            ("a BETWEEN 5 AND 1", "a BETWEEN 5 AND 1", "above the upper"),
            ("a BETWEEN 5 AND 'x'", "a BETWEEN 5 AND 'x'", "one type"),
            ("a BETWEEN 5, 6", ",", "AND and the upper bound"),
            ("a = a", "a = a", "compared with itself"),
            ("a IN ()", ")", "an attribute or a value"),
            ("a = 1 AND AND b = 2", "AND", "in backticks"),
            ("and = 1", "and", "`and`, in backticks"),
            ("a = 1 b = 2", "b", "AND, OR or the end"),
            ("(a = 1", "", "`)`"),
            ("a-b = 1", "-", "a comparison"),
            ("a = b-c", "-", "AND, OR or the end"),
            ("a[-1] = 1", "-", "whole number"),
            ("a[1.5] = 1", "1.5", "whole number"),
            ("a[99999999999] = 1", "99999999999", "whole number"),
            ("a. = 1", "=", "a name behind the dot"),
            ("a = <<>>", ">>", "at least one"),
            ("a = <<1, 'x'>>", "<<1, 'x'>>", "all of one type"),
            ("a = <<1, 1.0>>", "<<1, 1.0>>", "twice"),
            ("a = {x: 1, x: 2}", "x", "already"),
            ("a = 1e200", "1e200", "1E+126"),
            ("a = 123456789012345678901234567890123456789", "123456789012345678901234567890123456789", "38"),
            ("a = :v", ":v", "placeholder"),
            ("a = [1, b]", "b", "a value"),
        ],
    );
}

#[test]
fn in_takes_a_hundred_values_and_no_more() {
    let list = |count: usize| (0..count).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    assert!(holds(&format!("n IN ({})", list(100)), r#""n":{"N":"99"}"#));
    let error = Condition::parse(&format!("n IN ({})", list(101))).expect_err("too many");
    assert!(error.message().contains("101"), "{error}");
}

#[test]
fn deep_nesting_is_an_error_and_long_chains_are_none() {
    for (open, close) in [("(", ")"), ("NOT ", ""), ("a = [", "]"), ("(a = 1 OR ", ")")] {
        let text = |depth: usize| format!("{}a = 1{}", open.repeat(depth), close.repeat(depth));
        assert!(Condition::parse(&text(100_000)).is_err());
    }
    assert!(Condition::parse(&format!("{}a = 1{}", "(".repeat(10), ")".repeat(10))).is_ok());
    let long = vec!["n = 1"; 20_000].join(" OR ");
    assert!(!holds(&long, r#""n":{"N":"2"}"#));
}

#[test]
fn conditions_and_updates_are_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<Condition>();
    shared::<Update>();
}

proptest! {
    /// Pieces of the language in any order: an answer, and a place within the text.
    #[test]
    fn no_text_makes_the_parser_panic(
        pieces in proptest::collection::vec(
            prop_oneof![
                "[a-z]{1,2}", "[0-9.eE+-]{1,4}", "\\PC{0,3}",
                proptest::sample::select(vec![
                    "(", ")", "[", "]", "{", "}", "<<", ">>", "<", ">", "=", "<>", ",", ".", ":", "#", "`", "'", "\"",
                    "\\", " AND ", " OR ", "NOT ", " BETWEEN ", " IN ", "size(", "contains(", "attribute_type(", "SET ",
                    "REMOVE ", "ADD ", "DELETE ", "if_not_exists(", "list_append(", "join(", "b64\"", "true", "null", "\n", " ",
                ]).prop_map(str::to_owned),
            ],
            0..24,
        )
    ) {
        let text = pieces.concat();
        let errors = [Condition::parse(&text).err(), Update::parse(&text).err(), Template::parse(&text).err()];
        for error in errors.into_iter().flatten() {
            prop_assert!(error.line() <= text.matches('\n').count() + 1);
            prop_assert!(error.render().contains('^'));
        }
    }
}
