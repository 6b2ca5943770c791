//! Made-up sweeps through the whole crate: what every file must show.

mod comparison;
mod figures;
mod files;
mod history;
mod page;
mod placement;
mod predictions;
mod schema;
mod stopping;
mod synthetic;
mod terminal;
mod verdicts;
