//! Estimates, intervals, orders, METG and scaling models. Pure: numbers in,
//! numbers out; every random choice comes from a seed.
//!
//! - [`estimate`]: medians with intervals from grouped samples.
//! - [`paired`]: ratios of two contestants, verdicts on them, and where their
//!   variance lies.
//! - [`ratio_of_medians`]: two contestants that did not share their rounds.
//! - [`order`]: in which order a round samples its configurations.
//! - [`scaling`]: speed-up, efficiency and the Karp–Flatt serial fraction.
//! - [`amdahl`], [`usl`]: models of speed-up over workers, refused when the
//!   points cannot identify them.
//! - [`simulation`]: what dispatch costs do at worker counts beyond the cores.
//! - [`change_points()`]: where a series of figures leaves its level.
//! - [`precision`]: how narrow the intervals of several figures are.
//! - [`sensitivity`]: how many rounds a comparison needs.
//! - [`metg()`], [`break_even()`]: where a curve crosses a threshold for good.
//!
//! ```
//! // Two incarnations of four rounds; each value is a speed-up within a round.
//! let speed_ups = [vec![1.9, 1.95, 1.92, 1.97], vec![1.91, 1.96, 1.94, 1.93]];
//! let speed_up = stats::median_with_interval(&speed_ups, 42).unwrap();
//! assert_eq!(speed_up.value, 1.935);
//! assert!(speed_up.is_above(1.8) && speed_up.is_below(2.1));
//! ```
#![forbid(unsafe_code)]

pub mod amdahl;
pub mod break_even;
pub mod change_points;
mod crossing;
mod error;
pub mod estimate;
mod grouped;
mod linear;
pub mod metg;
pub mod order;
pub mod paired;
pub mod precision;
pub mod proportion;
pub mod quantile;
pub mod scaling;
pub mod sensitivity;
pub mod simulation;
mod student;
mod unpaired;
pub mod usl;

pub use break_even::{AdvantagePoint, BreakEven, break_even};
pub use change_points::{ChangePoint, change_points};
pub use error::StatsError;
pub use estimate::{Estimate, median_with_interval};
pub use metg::{EfficiencyPoint, Metg, metg};
pub use order::BalancedOrder;
pub use quantile::{median, quantile};
pub use scaling::{ScalingPoint, efficiency, karp_flatt, speed_up};
pub use sensitivity::rounds_for;
pub use unpaired::ratio_of_medians;
