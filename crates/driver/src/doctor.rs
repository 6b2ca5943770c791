//! How fit this machine is for measuring, and what to change.
//!
//! What `/proc` and `/sys` say is read before, during and after two seconds
//! of a small measurement of noise ([`evidence`]); each fact is judged by
//! itself, from texts, in a module a subject; [`page`] lays the findings out.

mod clock;
mod evidence;
mod finding;
mod load;
mod memory;
mod noise;
mod page;
mod processor;
mod quota;

use serde::Serialize;

use crate::environment::files::Machine;
use evidence::Evidence;
use finding::{Finding, Level};

/// Version of the JSON that [`Diagnosis`] is written as.
const VERSION: u32 = 1;

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Diagnosis {
    version: u32,
    /// Whether there is no warning.
    fit: bool,
    /// What the warnings are about: each matters for comparisons.
    warnings: Vec<&'static str>,
    findings: Vec<Finding>,
}

impl Diagnosis {
    /// Examines this machine for about two seconds.
    pub(crate) fn make() -> Self {
        let files = Machine;
        let evidence = Evidence::gather(&files);
        let findings = [
            load::findings(&evidence),
            processor::findings(&files, &evidence),
            quota::findings(&files, &evidence),
            memory::findings(&files, &evidence),
            clock::findings(&files),
            noise::findings(&evidence.blocks),
        ];
        Self::of(findings.concat())
    }

    fn of(findings: Vec<Finding>) -> Self {
        let warnings = findings.iter().filter(|finding| finding.level == Level::Warn);
        let warnings: Vec<&'static str> = warnings.map(|finding| finding.what).collect();
        Self { version: VERSION, fit: warnings.is_empty(), warnings, findings }
    }

    /// Whether nothing was found that matters for comparisons.
    pub(crate) const fn is_fit(&self) -> bool {
        self.fit
    }

    /// For machines, in one line.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("findings are plain data") + "\n"
    }

    /// For people, at most `width` columns wide.
    pub(crate) fn page(&self, width: usize) -> String {
        page::lay_out(self, width)
    }
}
