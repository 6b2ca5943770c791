//! Intervals and verdicts against simulations whose truth is known.

mod alarms;
mod coverage;
mod rejected;
mod simulation;
