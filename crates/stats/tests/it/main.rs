//! Intervals and verdicts against simulations whose truth is known.

mod alarms;
mod change_points;
mod coverage;
mod looks;
mod rejected;
mod simulation;
