use super::*;
use crate::item::{KeyAttribute, KeyKind};

fn schema() -> KeySchema {
    KeySchema {
        partition: KeyAttribute::new("pk", KeyKind::String),
        sort: Some(KeyAttribute::new("sk", KeyKind::String)),
    }
}

fn recipe(text: &str) -> Recipe {
    Recipe::parse("0001-test.toml", text, &schema()).unwrap_or_else(|error| panic!("{error}"))
}

fn item(json: &str) -> RawItem {
    RawItem::parse(bytes::Bytes::copy_from_slice(json.as_bytes()), &schema()).expect("an item")
}

fn outputs(recipe: &Recipe, json: &str) -> Result<Vec<String>, String> {
    let mut outputs = Vec::new();
    recipe.apply(item(json), &Occasion::default(), &mut outputs)?;
    Ok(outputs.iter().map(|item| String::from_utf8(item.json().to_vec()).expect("UTF-8")).collect())
}

const CASE: &str = r#"{"pk":{"S":"case|1"},"sk":{"S":"case|1"},"old":{"N":"1.0"}}"#;

#[test]
fn steps_run_in_order_on_what_is_selected_and_the_rest_keeps_its_bytes() {
    let recipe = recipe(
        r#"
        description = "two steps"
        [[step]]
        when = 'begins_with(pk, "case|")'
        rename = { old = "new" }
        update = 'SET seen = true'
        [[step]]
        when = 'seen = true AND new = 1'
        update = 'SET total = new + 1'
        [[step]]
        when = 'pk = "gone"'
        drop = true
        "#,
    );
    assert_eq!(recipe.description(), "two steps");
    assert_eq!(
        outputs(&recipe, CASE),
        Ok(vec![
            r#"{"pk":{"S":"case|1"},"sk":{"S":"case|1"},"new":{"N":"1.0"},"seen":{"BOOL":true},"total":{"N":"2"}}"#
                .to_owned()
        ])
    );
    let other = r#"{ "pk":{"S":"c\u0061se"},"sk":{"S":"x"},"old":{"N":"1.0"}}"#;
    assert_eq!(outputs(&recipe, other), Ok(vec![other.to_owned()]));
    let gone = r#"{"pk":{"S":"gone"},"sk":{"S":"x"}}"#;
    assert_eq!(outputs(&recipe, gone), Ok(vec![]));
    assert!(recipe.drops() && [CASE, gone].iter().all(|json| recipe.selects(&item(json))));
    assert!(!recipe.selects(&item(other)));
}

#[test]
fn items_are_added_and_keys_change_and_each_tells_whose_it_is() {
    let recipe = recipe(
        r#"
        keys = "derived"
        [[owner]]
        when = 'begins_with(pk, "catalog")'
        pk = 'join("|", "case", sk)'
        sk = 'join("|", "case", sk)'
        [[owner]]
        pk = 'lower(pk)'
        sk = 'sk'
        [[step]]
        when = 'begins_with(pk, "case|")'
        emit = { pk = '"catalog"', sk = 'split(pk, "|", 1)', kept = 'old', fixed = '[1, {a: true}]' }
        copy = 'SET sk = "copy" REMOVE old'
        [[step]]
        update = 'SET pk = upper(pk)'
        "#,
    );
    let mut found = Vec::new();
    recipe.apply(item(CASE), &Occasion::default(), &mut found).expect("applies");
    let texts: Vec<&str> = found.iter().map(|item| std::str::from_utf8(item.json()).expect("UTF-8")).collect();
    assert_eq!(
        texts,
        [
            r#"{"pk":{"S":"case|1"},"sk":{"S":"copy"}}"#,
            r#"{"fixed":{"L":[{"N":"1"},{"M":{"a":{"BOOL":true}}}]},"kept":{"N":"1.0"},"pk":{"S":"catalog"},"sk":{"S":"1"}}"#,
            r#"{"pk":{"S":"CASE|1"},"sk":{"S":"case|1"},"old":{"N":"1.0"}}"#,
        ]
    );
    assert_eq!(recipe.keys(), KeyRule::Derived);
    let owner = |output: &RawItem| recipe.owner(output).map(|item| item.key());
    assert_eq!(owner(&found[1]), Some(item(CASE).key()));
    assert_eq!(owner(&found[2]), Some(item(CASE).key()));
    assert_ne!(owner(&found[0]), Some(item(CASE).key()), "the copy's key does not tell");
}

#[test]
fn what_a_step_adds_is_made_of_what_it_has_changed_and_stays_when_the_item_is_dropped() {
    let recipe = recipe(
        r#"
        keys = "free"
        [[step]]
        rename = { old = "new" }
        update = 'SET total = new + 1'
        copy = 'SET sk = "copy"'
        emit = { pk = '"emitted"', sk = 'sk', total = 'total' }
        drop = true
        "#,
    );
    assert_eq!(
        outputs(&recipe, CASE),
        Ok(vec![
            r#"{"pk":{"S":"case|1"},"sk":{"S":"copy"},"new":{"N":"1.0"},"total":{"N":"2"}}"#.to_owned(),
            r#"{"pk":{"S":"emitted"},"sk":{"S":"case|1"},"total":{"N":"2"}}"#.to_owned(),
        ])
    );
}

#[test]
fn what_cannot_be_done_to_an_item_refuses_it_with_step_and_rule() {
    for (step, reason) in [
        ("update = 'SET a = old + missing'", "step 1: "),
        ("update = 'SET a = list_append(old, old)'", "step 1: "),
        ("rename = { old = \"sk2\" }\nupdate = 'SET roles = <<\"a\">> DELETE roles <<\"b\">>'", "roles"),
        ("update = 'SET old.a = 1'", "no map"),
    ] {
        let text = format!("[[step]]\n{step}");
        match Recipe::parse("x.toml", &text, &schema()) {
            Ok(recipe) => {
                let refused = outputs(&recipe, CASE).expect_err(step);
                assert!(refused.contains(reason), "{step}: {refused}");
            }
            Err(error) => assert!(error.to_string().contains(reason), "{step}: {error}"),
        }
    }
    let long = format!("[[step]]\nupdate = 'SET a = \"{}\"'", "x".repeat(410_000));
    let refused = outputs(&recipe(&long), CASE).expect_err("too large");
    assert!(refused.contains("400 KB") || refused.contains("409600"), "{refused}");
    let text = "x".repeat(410_000);
    for step in [
        format!("copy = 'SET sk = \"b\", a = \"{text}\"'"),
        format!("emit = {{ pk = '\"a\"', sk = '\"b\"', a = '\"{text}\"' }}"),
    ] {
        let adding = recipe(&format!("keys = 'free'\n[[step]]\n{step}"));
        let refused = outputs(&adding, CASE).expect_err("too large");
        assert!(refused.contains("409600"), "{refused}");
    }
    let taken = recipe("[[step]]\nrename = { old = \"taken\" }");
    let refused = outputs(&taken, r#"{"pk":{"S":"a"},"sk":{"S":"b"},"old":{"N":"1"},"taken":{"N":"2"}}"#);
    assert_eq!(refused, Err("0001-test.toml: step 1: old cannot be renamed: the item has taken already".to_owned()));
}

#[test]
fn a_wrong_file_is_refused_with_place_and_remedy() {
    let step = "[[step]]\nupdate = 'SET a = 1'\n";
    for (text, message, hint) in [
        ("", "no step", "[[step]]"),
        ("[[step]]\n", "line 1, column 1: the step does nothing", "rename"),
        ("[[step]]\nwhne = 'a = 1'\ndrop = true", "unknown field `whne`", "did you mean `when`?"),
        ("[[step]]\nwhen = 'begin_with(a, \"x\")'\ndrop = true", "line 2, column 9", "begins_with"),
        ("[[step]]\nwhen = '''\na = 1 AND\n  b ='''\ndrop = true", "line 4, column 6", ""),
        ("[[step]]\nupdate = 'SET pk = \"x\"'", "line 2, column 15", "keys = \"derived\""),
        ("[[step]]\nrename = { sk = 'x' }", "sk is a key attribute", "keys = \"derived\""),
        ("[[step]]\nemit = { pk = 'pk', sk = '\"x\"' }", "keys of their own", "keys = \"derived\""),
        ("keys = 'fre'\n[[step]]\ndrop = true", "\"fre\" is none of", ""),
        ("keys = 'derived'\n[[step]]\ndrop = true", "needs an [[owner]]", "for instance"),
        ("keys = 'free'\n[[owner]]\npk = 'pk'\n[[step]]\ndrop = true", "only a recipe with keys", ""),
        ("keys = 'derived'\n[[owner]]\npk = 'pk'\n[[step]]\ndrop = true", "pk and sk", ""),
        ("keys = 'free'\n[[step]]\nemit = { pk = 'pk' }", "has no sk", "key attributes"),
        ("[[step]]\ndrop = 'yes'", "line 2, column 8", ""),
        (&format!("{step}[[case]]\ngiven = {{ pk = 'a' }}\nexpect = []"), "line 3: case 1: given", "a case has"),
        (&format!("{step}[[case]]\ngiven = {{ pk = 'a', sk = 'b' }}"), "one of expect and fails", ""),
        (&format!("{step}[[case]]\ngiven = '[1'\nexpect = []"), "this is not JSON", ""),
    ] {
        let error = Recipe::parse("x.toml", text, &schema()).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Usage, "{text}");
        assert!(error.to_string().contains(message), "{text}\n{error}");
        let remedy = error.remedy().unwrap_or_default();
        assert!(remedy.contains(hint), "{text}\n{remedy}");
    }
}

#[test]
fn a_file_that_is_not_utf_8_is_refused_with_its_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("0001-x.toml");
    std::fs::write(&path, b"# fine\nname = '\xff'").expect("is written");
    let error = Recipe::load(&path, &schema()).expect_err("not UTF-8");
    assert!(error.to_string().contains("line 2 is not UTF-8"), "{error}");
    assert_eq!(Recipe::load(&directory.path().join("none"), &schema()).expect_err("missing").kind(), ErrorKind::Io);
}

#[test]
fn cases_are_written_plainly_or_in_dynamodbs_json() {
    let recipe = recipe(
        r#"
        step = [{ update = 'SET a = 1' }]
        [[case]]
        name = "plain"
        given = { pk = "a", sk = "b", n = 1.5, l = ["x", true], m = { S = "text" } }
        expect = [{ pk = { S = "a" }, sk = { S = "b" }, set = { SS = ["x"] } }]
        [[case]]
        given = '{"pk":"a","sk":"b","nothing":null}'
        expect = []
        [[case]]
        given = { pk = "a", sk = "b" }
        fails = "because"
        "#,
    );
    let cases = recipe.cases();
    assert_eq!(
        cases.iter().map(|case| (case.name.as_str(), case.line)).collect::<Vec<_>>(),
        [("plain", 3), ("case 2", 7), ("case 3", 10)]
    );
    let given = |at: usize| String::from_utf8(cases[at].given.json().to_vec()).expect("UTF-8");
    assert!(given(0).contains(r#""n":{"N":"1.5"}"#), "{}", given(0));
    assert!(given(0).contains(r#""m":{"M":{"S":{"S":"text"}}}"#), "{}", given(0));
    assert!(given(1).contains(r#""nothing":{"NULL":true}"#), "{}", given(1));
    assert!(
        matches!(&cases[0].expected, Expected::Items(items) if items[0].json().ends_with(br#""set":{"SS":["x"]},"sk":{"S":"b"}}"#))
    );
    assert!(matches!(&cases[2].expected, Expected::Refusal(reason) if reason == "because"));
}

#[test]
fn what_a_step_adds_is_of_the_changed_item_and_stays_when_that_is_dropped() {
    let text = |sk: &str| {
        format!(
            r#"
            keys = "free"
            [[step]]
            update = 'SET n = 1'
            copy = 'SET sk = "copy"'
            emit = {{ pk = 'pk', sk = '{sk}', n = 'n' }}
            drop = true
            "#
        )
    };
    let found = outputs(&recipe(&text(r#""emitted""#)), r#"{"pk":{"S":"a"},"sk":{"S":"b"}}"#);
    let expected = [
        r#"{"pk":{"S":"a"},"sk":{"S":"copy"},"n":{"N":"1"}}"#,
        r#"{"n":{"N":"1"},"pk":{"S":"a"},"sk":{"S":"emitted"}}"#,
    ];
    assert_eq!(found, Ok(expected.map(str::to_owned).to_vec()));
    // What is added is held to DynamoDB's limits too.
    let reason = outputs(&recipe(&text(r#""""#)), r#"{"pk":{"S":"a"},"sk":{"S":"b"}}"#).expect_err("an empty key");
    assert!(reason.contains("emit") && reason.contains("sk"), "{reason}");
}

/// Two items that want one key would both be told to be its owner by what stands beside the key, and one of them is lost.
#[test]
fn whose_an_output_is_its_key_alone_tells() {
    let recipe = recipe(
        r#"
        keys = "derived"
        owner = [{ pk = 'origin', sk = 'sk' }]
        step = [{ update = 'SET origin = pk, pk = "same"' }]
        "#,
    );
    let mut found = Vec::new();
    recipe.apply(item(CASE), &Occasion::default(), &mut found).expect("applies");
    assert!(recipe.owner(&found[0]).is_none_or(|owner| owner.key() != item(CASE).key()), "{:?}", found[0].json());
}
