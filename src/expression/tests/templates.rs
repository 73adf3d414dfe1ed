use super::{check_mistakes, item_with};
use crate::expression::{Template, ValueExpression};
use crate::item::{Attributes, Value};

fn rendered(template: &str, attributes: &str) -> Result<String, String> {
    let template = Template::parse(template).unwrap_or_else(|error| panic!("{}", error.render()));
    let item = item_with(attributes);
    let text = template.render(&item);
    assert_eq!(template.render_changed(&Attributes::from(&item)), text, "from a list of attributes");
    text
}

#[test]
fn values_are_put_into_a_text() {
    let attributes = r#""n":{"N":"10.0"},"m":{"M":{"odd }":{"S":"x"}}},"e":{"S":""}"#;
    for (template, text) in [
        ("", ""),
        ("plain é", "plain é"),
        ("{pk}_{sk}", "case|1_a"),
        ("{n}{n}", "1010"),
        ("a{{b}}c{{{pk}}}", "a{b}c{case|1}"),
        ("{upper(sk)}|{join('-', n, sk)}", "A|10-a"),
        (r#"{m."odd }"}"#, "x"),
        ("{m.`odd }`}|{'}'}|{\"\\\"}\"}", "x|}|\"}"),
        ("{if_not_exists(none, '-')}{e}", "-"),
        ("{n + 1}", "11"),
    ] {
        assert_eq!(rendered(template, attributes), Ok(text.to_owned()), "{template}");
    }
    assert_eq!(rendered("{pk}{none}", attributes), Err("the item has no none".to_owned()));
    assert_eq!(rendered("{m}", attributes), Err("m is of type M, neither a text nor a number".to_owned()));
}

#[test]
fn a_mistake_is_marked_in_the_whole_template() {
    check_mistakes(
        |text| Template::parse(text).err(),
        &[
            ("é{pk", "{", "never closed"),
            ("a}b", "}", "never opened"),
            ("{}", "}", "an attribute, a value or a function"),
            ("é{pk}{ uper(pk) }", "uper", "upper(text)"),
            ("{pk sk}", "sk", "the end of the value"),
            ("{'a}", "{", "never closed"),
        ],
    );
}

#[test]
fn a_value_keeps_its_type() {
    let item = item_with(r#""n":{"N":"1.0"},"l":{"L":[{"NULL":true}]}"#);
    let value = |text: &str| ValueExpression::parse(text).expect("valid").evaluate(&item);
    assert_eq!(value("n + 1"), Ok(Value::parse(br#"{"N":"2"}"#).expect("valid")));
    assert_eq!(
        value("list_append(l, [1])").map(|list| list.to_string()),
        Ok(r#"{"L":[{"NULL":true},{"N":"1"}]}"#.to_owned())
    );
    assert_eq!(value("n").map(|number| number.to_string()), Ok(r#"{"N":"1.0"}"#.to_owned()));
    assert!(value("none").is_err());
    assert!(ValueExpression::parse("a = 1").is_err());
}
