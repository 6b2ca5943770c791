//! Checks a sweep's `report.json` against the committed schema:
//! `cargo run -p report --example check_report -- DIR`.
//!
//! Exit code 0 if it conforms, 1 with the path and reason of each mismatch.

use std::{fs, path::Path, process::ExitCode};

const SCHEMA: &str = include_str!("../report.schema.json");

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("no folder given\nhelp: cargo run -p report --example check_report -- DIR");
        return ExitCode::from(2);
    };
    let path = Path::new(&folder).join("report.json");
    match mismatches(&path) {
        Ok(mismatches) if mismatches.is_empty() => {
            println!("{} conforms to report.schema.json", path.display());
            ExitCode::SUCCESS
        }
        Ok(mismatches) => {
            for mismatch in mismatches {
                eprintln!("{}: {mismatch}", path.display());
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("cannot check {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

fn mismatches(path: &Path) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let schema = serde_json::from_str(SCHEMA)?;
    let report = serde_json::from_str(&fs::read_to_string(path)?)?;
    let validator = jsonschema::validator_for(&schema)?;
    let told = validator
        .iter_errors(&report)
        .map(|error| format!("at `{}`: {error}", error.instance_path()))
        .collect();
    Ok(told)
}
