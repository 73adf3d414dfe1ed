//! Wrong flags, files and environments: refused by name, before anything is touched.

use crate::support::dynoxide::Dynoxide;
use crate::support::ferry::Ferry;
use crate::support::table::Table;

/// A filled and an empty table, and the promise that the empty one stays empty.
struct Stage {
    emulator: Dynoxide,
    source: Table,
    destination: Table,
}

impl Stage {
    fn new() -> Self {
        let emulator = Dynoxide::start();
        let source = Table::create(&emulator.endpoint(), "source");
        source.seed(30, 71);
        let destination = Table::create(&emulator.endpoint(), "destination");
        Self { emulator, source, destination }
    }

    #[track_caller]
    fn assert_untouched(&self) {
        assert_eq!(self.destination.count(), 0, "nothing was written");
    }

    /// Copies with these flags, must fail like this.
    #[track_caller]
    fn refuse(&self, ferry: &Ferry, more: &[&str], code: i32, names: &[&str]) {
        ferry.copy(&self.source, &self.destination, more).assert_refused(code, names);
        self.assert_untouched();
    }
}

#[test]
fn without_credentials_it_says_so() {
    let ferry = Ferry::new().without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY");
    Stage::new().refuse(&ferry, &[], 10, &["credentials"]);
}

#[test]
fn without_a_region_it_says_so() {
    let ferry = Ferry::new().without("AWS_REGION");
    Stage::new().refuse(&ferry, &[], 10, &["region"]);
}

#[test]
fn a_profile_that_does_not_exist_is_named() {
    let ferry = Ferry::new().without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY");
    Stage::new().refuse(&ferry, &["--profile", "no-such-profile"], 10, &["no-such-profile"]);
}

#[test]
fn an_unknown_flag_is_answered_with_the_nearest_right_one() {
    let stage = Stage::new();
    let ended = Ferry::new().copy(&stage.source, &stage.destination, &["--segmnts", "8"]);
    ended.assert_code(2).assert_says(&["--segmnts", "--segments"]);
    stage.assert_untouched();
}

#[test]
fn values_that_make_no_sense_are_refused_by_flag() {
    let stage = Stage::new();
    for (flag, value) in [
        ("--segments", "0"),
        ("--segments", "many"),
        ("--segments", "1000001"),
        ("--write-rate", "fast"),
        ("--write-rate", "0wcu"),
        ("--write-rate", "101%"),
        ("--read-rate", "5wcu"),
        ("--max-dead-letters", "-1"),
        ("--request-timeout", "0"),
    ] {
        let ended = Ferry::new().copy(&stage.source, &stage.destination, &[&format!("{flag}={value}")]);
        ended.assert_code(2).assert_says(&[flag, value]);
    }
    stage.assert_untouched();
}

#[test]
fn an_unknown_toml_key_is_answered_with_the_nearest_right_one() {
    let stage = Stage::new();
    let ferry = Ferry::new();
    for (text, wrong, right) in [
        ("[source]\ntabel = \"a\"\n", "tabel", "table"),
        ("[destinatoin]\ntable = \"a\"\n", "destinatoin", "destination"),
        ("[rate]\nwrites = \"auto\"\n", "writes", "write"),
    ] {
        ferry.write("tableferry.toml", text);
        stage.refuse(&ferry, &[], 2, &["tableferry.toml", wrong, right]);
    }
}

#[test]
fn a_file_that_is_no_toml_is_named_with_its_line() {
    let stage = Stage::new();
    let ferry = Ferry::new();
    ferry.write("tableferry.toml", "[source]\ntable = \n");
    stage.refuse(&ferry, &[], 2, &["tableferry.toml", "2"]);
}

#[test]
fn a_named_file_that_is_missing_is_named() {
    Stage::new().refuse(&Ferry::new(), &["--config", "elsewhere.toml"], 2, &["elsewhere.toml"]);
}

#[test]
fn a_variable_that_is_not_set_is_named() {
    let stage = Stage::new();
    let ferry = Ferry::new();
    ferry.write("tableferry.toml", "[source]\ntable = \"efcms-${STAGE}-alpha\"\n");
    stage.refuse(&ferry, &[], 2, &["STAGE"]);
}

#[test]
fn a_missing_table_name_is_asked_for() {
    let stage = Stage::new();
    let endpoint = stage.emulator.endpoint();
    let run = |more: &[&str]| Ferry::new().run(&[&["run", "--endpoint-url", &endpoint], more].concat());
    run(&["--destination", &stage.destination.name]).assert_refused(2, &["source"]);
    run(&["--source", &stage.source.name]).assert_refused(2, &["destination"]);
    stage.assert_untouched();
}

#[test]
fn plain_http_goes_to_loopback_only() {
    let stage = Stage::new();
    for endpoint in ["http://dynamodb.example:8000", "http://192.0.2.1", "http://127.0.0.1.example:8000"] {
        let ended = Ferry::new().run(&[
            "run",
            "--source",
            &stage.source.name,
            "--destination",
            &stage.destination.name,
            "--endpoint-url",
            endpoint,
        ]);
        ended.assert_refused(2, &[endpoint, "https"]);
    }
    stage.assert_untouched();
}

#[test]
fn plain_http_from_the_environment_goes_to_loopback_only() {
    let stage = Stage::new();
    for variable in ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"] {
        let ferry = Ferry::new().with(variable, "http://dynamodb.example:8000");
        let ended = ferry.run(&["run", "--source", &stage.source.name, "--destination", &stage.destination.name]);
        ended.assert_refused(2, &["http://dynamodb.example:8000"]);
    }
}

#[test]
fn an_endpoint_that_is_no_url_is_named() {
    let ended =
        Ferry::new().run(&["run", "--source", "one", "--destination", "two", "--endpoint-url", "localhost:8000"]);
    ended.assert_code(2).assert_says(&["localhost:8000"]);
}

#[test]
fn a_run_name_cannot_leave_the_state_directory() {
    let stage = Stage::new();
    for name in ["../outside", "/tmp/outside", "", ".."] {
        let ended = Ferry::new().copy(&stage.source, &stage.destination, &[&format!("--run={name}")]);
        ended.assert_code(2);
    }
    stage.assert_untouched();
}
