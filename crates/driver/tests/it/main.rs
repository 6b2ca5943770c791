//! The driver as its users see it: through its command line.

mod ci_duel;
mod command_line;
mod compare;
mod configs;
mod doctor;
mod duel;
mod failures;
mod fake_runner;
mod history;
mod instructions;
mod interruption;
mod limits;
mod load;
mod scene;
