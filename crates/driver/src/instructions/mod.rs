//! Instruction counts: a gate without noise.
//!
//! A *path* is something that this program can do any number of times in a row: a
//! kernel, the serial job loop, a frame of tasks on its way through a pool's
//! machinery ([`paths`]). Valgrind runs the driver on one path, so many times and
//! twice as many, and the difference is what that many cost; start-up and end
//! cancel ([`count`](mod@count)). Where the program itself decides what is executed, the
//! number is the same every time, on every machine with the same instruction set,
//! whatever else runs there. Where time decides, as in a pool with processes of its
//! own, it is not, and the path is shown but not judged ([`judge`](mod@judge)).

mod count;
mod judge;
pub(crate) mod paths;
pub(crate) mod telling;
mod valgrind;

pub(crate) use count::{Build, Count, Counted, count};
pub(crate) use judge::{Judged, Verdict, judge, outcome};
pub(crate) use valgrind::{INSTALL, Valgrind};
