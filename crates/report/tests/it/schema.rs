//! `report.json` and its schema.

use report::Report;

use crate::synthetic;

const COMMITTED: &str = include_str!("../../report.schema.json");

#[test]
fn the_committed_schema_is_the_one_that_the_model_generates() {
    let mut generated = serde_json::to_string_pretty(&Report::json_schema()).unwrap();
    generated.push('\n');
    // For whoever changes the model: run the test with this set.
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/report.schema.json");
        std::fs::write(path, &generated).unwrap();
        return;
    }
    assert!(
        generated == COMMITTED,
        "report.schema.json is out of date\nhelp: UPDATE_SCHEMA=1 cargo test -p report schema, and \
         raise SCHEMA_VERSION if old readers would misunderstand"
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
