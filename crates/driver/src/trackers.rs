//! What trackers of benchmarks read.

use serde_json::{Value, json};

/// A figure to be followed over commits; smaller is better.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) name: String,
    /// What kind of figure it is.
    pub(crate) measure: &'static str,
    pub(crate) unit: String,
    pub(crate) value: f64,
    pub(crate) interval: Option<(f64, f64)>,
}

/// Bencher's metric format.
pub(crate) fn bencher(figures: &[Figure]) -> Value {
    let measures = figures.iter().map(|figure| {
        let mut value = json!({ "value": figure.value });
        if let Some((low, high)) = figure.interval {
            value["lower_value"] = low.into();
            value["upper_value"] = high.into();
        }
        (figure.name.clone(), json!({ figure.measure: value }))
    });
    Value::Object(measures.collect())
}

/// What github-action-benchmark reads as `customSmallerIsBetter`.
pub(crate) fn github_action_benchmark(figures: &[Figure]) -> Value {
    let entries = figures.iter().map(|figure| {
        json!({
            "name": figure.name,
            "unit": figure.unit,
            "value": figure.value,
            "range": figure.interval.map(|(low, high)| format!("{low:.4}–{high:.4}")),
        })
    });
    entries.collect()
}
