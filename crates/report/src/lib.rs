//! From records to tables, plots and a self-contained HTML page. Pure: data
//! in, strings out; no file, no clock, no environment.
//!
//! [`parse_records`] reads what a sweep wrote, [`analyse`] computes every
//! figure into a [`Report`], and the renderers only draw it: [`terminal`],
//! [`markdown`], [`summary`] (CSV), [`plots()`] (SVG) and [`html`].
//! [`artefacts()`] does it all in one call. [`comparison`] holds two sweeps
//! against each other, [`history`] many that ask the same.
#![forbid(unsafe_code)]

pub mod analysis;
mod artefacts;
mod calendar;
pub mod comparison;
mod format;
pub mod history;
pub mod html;
pub mod markdown;
pub mod model;
mod parse;
mod plots;
pub mod summary;
mod sweep;
mod tables;
pub mod terminal;

pub use analysis::analyse;
pub use artefacts::{Artefact, artefacts};
pub use model::Report;
pub use parse::{ParseError, ParsedRecords, parse_records};
pub use plots::{Plot, plots};
pub use sweep::SweepData;
