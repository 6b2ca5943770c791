//! One line of the diagnosis.

use std::collections::BTreeMap;

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// Nothing to do.
    Ok,
    /// Worth knowing when figures are read.
    Note,
    /// Matters for comparisons.
    Warn,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// What it is; unique in a diagnosis.
    pub(super) what: &'static str,
    /// In words.
    pub(super) value: String,
    /// What to do; every warning has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
    /// The same in figures; the unit is the name's last word, shares are 0 to 1.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    figures: BTreeMap<&'static str, f64>,
}

/// From where on a figure is worth a note or a warning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grades {
    pub(super) note: f64,
    pub(super) warn: f64,
}

impl Level {
    /// Four letters at most.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warn => "warn",
        }
    }
}

impl Finding {
    pub(super) fn ok(what: &'static str, value: impl Into<String>) -> Self {
        let (value, figures) = (value.into(), BTreeMap::new());
        Self { level: Level::Ok, what, value, advice: None, figures }
    }

    pub(super) fn note(what: &'static str, value: impl Into<String>) -> Self {
        Self { level: Level::Note, ..Self::ok(what, value) }
    }

    pub(super) fn warn(
        what: &'static str,
        value: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { level: Level::Warn, advice: Some(advice.into()), ..Self::ok(what, value) }
    }

    /// What this machine does not tell, and why that may be.
    pub(super) fn unread(what: &'static str, why: &str) -> Self {
        Self::note(what, format!("cannot be read: {why}"))
    }

    /// Judged by a figure; `advice` is shown with a warning only.
    pub(super) fn graded(
        what: &'static str,
        value: impl Into<String>,
        (figure, grades): (f64, Grades),
        advice: impl Into<String>,
    ) -> Self {
        if figure > grades.warn {
            Self::warn(what, value, advice)
        } else if figure > grades.note {
            Self::note(what, value)
        } else {
            Self::ok(what, value)
        }
    }

    /// With advice on what is no more than a note.
    pub(super) fn advising(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// With a figure for machines. What is no number is left out: JSON has
    /// no infinity.
    pub(super) fn with(mut self, name: &'static str, figure: f64) -> Self {
        if figure.is_finite() {
            self.figures.insert(name, figure);
        }
        self
    }
}

/// A share in percent: `0.3 %`, `12 %`.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent.abs() < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// Bytes in the largest binary unit: `3.8 GiB`.
pub(super) fn bytes(bytes: f64) -> String {
    const GIB: f64 = (1_u64 << 30) as f64;
    const MIB: f64 = (1_u64 << 20) as f64;
    if bytes >= GIB { format!("{:.1} GiB", bytes / GIB) } else { format!("{:.0} MiB", bytes / MIB) }
}
