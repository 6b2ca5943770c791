//! The three kernels, written once for vectors of any width, compiled for each
//! instruction set and chosen at run time, so that a portable binary measures
//! the machine and not the year 2003.

mod map;
mod sum;

use std::sync::LazyLock;

use pulp::Arch;

pub use map::{cube, square};
pub use sum::sum_of_squares;

static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);

/// Name of the instruction set that the kernels are dispatched to on this
/// machine, e.g. `V4` for AVX-512.
#[must_use]
pub fn instruction_set() -> String {
    let name = format!("{:?}", *ARCH);
    // pulp's variants carry a token: only the name in front of it is a fact.
    name.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
}
