//! `report.json` and its schema.

use std::path::Path;

use report::Report;
use serde_json::Value;

use crate::synthetic;

const COMMITTED: &str = include_str!("../../report.schema.json");

#[test]
fn the_committed_schema_is_the_one_that_the_model_generates() {
    assert_committed("report.schema.json", COMMITTED, &Report::json_schema(), "SCHEMA_VERSION");
}

/// That the schema which a model generates is the one in `file`, which is written
/// instead for whoever changes the model and asks for that.
pub(crate) fn assert_committed(file: &str, committed: &str, model: &Value, version: &str) {
    let mut generated = serde_json::to_string_pretty(model).unwrap();
    generated.push('\n');
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(file), &generated).unwrap();
        return;
    }
    assert!(
        generated == committed,
        "{file} is out of date\nhelp: UPDATE_SCHEMA=1 cargo test -p report schema, and raise \
         {version} if old readers would misunderstand"
    );
}

#[test]
fn a_whole_report_conforms_to_the_schema_and_survives_a_round_trip() {
    let report = report::analyse(&synthetic::whole_sweep(1));
    let json = serde_json::to_value(&report).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(COMMITTED).unwrap()).unwrap();
    let mismatches: Vec<String> =
        validator.iter_errors(&json).map(|error| error.to_string()).collect();
    assert_eq!(mismatches, [""; 0]);
    assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report);
}

#[test]
fn the_schema_refuses_a_report_that_lacks_its_headline() {
    let mut json = serde_json::to_value(report::analyse(&synthetic::whole_sweep(1))).unwrap();
    json.as_object_mut().unwrap().remove("headline");
    let schema = serde_json::from_str(COMMITTED).unwrap();
    assert!(!jsonschema::is_valid(&schema, &json));
}
