//! From records to tables, plots and a self-contained HTML page. Pure: data
//! in, strings out; no file, no clock, no environment.
#![forbid(unsafe_code)]

pub mod model;
mod parse;
mod sweep;

pub use model::Report;
pub use parse::{ParseError, ParsedRecords, parse_records};
pub use sweep::SweepData;
