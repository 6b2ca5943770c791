//! What the process that measures a figure says, a line of JSON each.

use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
pub enum Line {
    /// What a reader of the figure should know, such as which peer was fastest.
    Note {
        /// A sentence.
        text: String,
    },
    /// One round.
    Round(Round),
    /// The figure cannot be had here.
    NotMeasured {
        /// Why, and what to do.
        why: String,
    },
    /// Something went wrong that should not.
    Failed {
        /// What.
        why: String,
    },
    /// Nothing follows.
    Done,
}

/// Every contestant once, and the figure that this gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// What was measured, where a figure is a matter of several things: the
    /// worst of them counts.
    pub series: String,
    /// The figure, in the unit of its goal.
    pub value: f64,
    /// What it was computed from.
    pub samples: Vec<Sample>,
}

/// One contestant's part in a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Who.
    pub contestant: String,
    /// In the figure's unit of samples.
    pub value: f64,
}
