//! Two contestants that are measured in the same rounds.
//!
//! A round gives one ratio of their times, in which the machine's drift
//! cancels. Runners are started anew several times, and each of these
//! incarnations has luck of its own that no number of rounds averages out.
//!
//! ```
//! use stats::paired::{Verdict, corrected_level, log_ratio, verdict};
//!
//! // Three incarnations, four rounds each: the head takes 5 % longer.
//! let logs = |ratios: [f64; 4]| ratios.map(f64::ln).to_vec();
//! let cell = [
//!     logs([1.051, 1.049, 1.050, 1.052]),
//!     logs([1.050, 1.048, 1.049, 1.053]),
//!     logs([1.052, 1.051, 1.047, 1.050]),
//! ];
//! let level = corrected_level(0.95, 4);
//! let ratio = log_ratio(&cell, level, 42).unwrap();
//! assert!((ratio.value - 1.05).abs() < 0.001);
//! assert_eq!(verdict(ratio.interval(), 0.03), Verdict::Slower);
//! ```

mod looks;
mod ratio;
mod sign;
mod variance;
mod verdict;

pub use looks::Look;
pub use ratio::log_ratio;
pub use sign::sign_test;
pub use variance::{VarianceShares, best_split, variance};
pub use verdict::{Verdict, corrected_level, is_settled, verdict};
