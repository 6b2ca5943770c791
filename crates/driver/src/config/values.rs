//! Values that a config and a flag write in the same way.

use std::{fmt, num::NonZeroUsize, str::FromStr, time::Duration};

use serde::{Serialize, Serializer};

/// More workers than this is a slip of the keyboard, not a measurement.
const MAX_WORKERS: usize = 1024;

/// What a worker count may look like, for messages.
pub(crate) const WORKER_COUNTS: &str = "a number from 1 to 1024, `cores`, `2*cores` (any factor) or `powers` (1, 2, 4 … up to twice the cores)";

/// What ends a block early, besides intervals that are as narrow as is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Nothing.
    Precise,
    /// It is shown of every configuration whether it pays.
    Decided,
}

impl Until {
    pub(crate) const ALL: [Self; 2] = [Self::Precise, Self::Decided];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Precise => "precise",
            Self::Decided => "decided",
        }
    }
}

impl Serialize for Until {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A worker count that may depend on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkerCount {
    /// This many.
    Exactly(NonZeroUsize),
    /// This many times the available cores.
    TimesCores(NonZeroUsize),
    /// 1, 2, 4 … up to twice the cores, both multiples included.
    Powers,
}

impl WorkerCount {
    /// All the counts that `counts` stand for on a machine with `cores`
    /// available cores, ascending and each once.
    pub(crate) fn resolve(counts: &[Self], cores: NonZeroUsize) -> Vec<NonZeroUsize> {
        let mut resolved: Vec<NonZeroUsize> =
            counts.iter().flat_map(|count| count.on(cores)).collect();
        resolved.sort_unstable();
        resolved.dedup();
        resolved
    }

    fn on(self, cores: NonZeroUsize) -> Vec<NonZeroUsize> {
        match self {
            Self::Exactly(count) => vec![count],
            Self::TimesCores(factor) => vec![cores.saturating_mul(factor)],
            Self::Powers => {
                let limit = cores.get() * 2;
                let powers = (0..).map(|power| 1usize << power).take_while(|&count| count <= limit);
                powers.chain([cores.get(), limit]).filter_map(NonZeroUsize::new).collect()
            }
        }
    }
}

impl FromStr for WorkerCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "cores" => Ok(Self::TimesCores(NonZeroUsize::MIN)),
            "powers" => Ok(Self::Powers),
            other => {
                let (number, of_cores) = match other.strip_suffix("*cores") {
                    Some(factor) => (factor, true),
                    None => (other, false),
                };
                number
                    .trim()
                    .parse::<NonZeroUsize>()
                    .ok()
                    .filter(|count| count.get() <= MAX_WORKERS)
                    .map(
                        |count| {
                            if of_cores { Self::TimesCores(count) } else { Self::Exactly(count) }
                        },
                    )
                    .ok_or_else(|| format!("allowed: {WORKER_COUNTS}"))
            }
        }
    }
}

impl fmt::Display for WorkerCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(count) => write!(f, "{count}"),
            Self::TimesCores(NonZeroUsize::MIN) => f.write_str("cores"),
            Self::TimesCores(factor) => write!(f, "{factor}*cores"),
            Self::Powers => f.write_str("powers"),
        }
    }
}

impl Serialize for WorkerCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Exactly(count) => count.serialize(serializer),
            other => serializer.collect_str(other),
        }
    }
}

/// Bytes; written as `4096` or `"1KiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ByteSize(pub(crate) u64);

const UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (number, unit) = UNITS
            .iter()
            .find_map(|(name, bytes)| Some((text.strip_suffix(name)?, *bytes)))
            .unwrap_or((text, 1));
        let bytes = number.trim().parse::<u64>().ok().and_then(|count| count.checked_mul(unit));
        bytes
            .map(Self)
            .ok_or_else(|| "allowed: a size like 4096, \"1KiB\", \"16MiB\" or \"1GB\"".to_owned())
    }
}

impl fmt::Display for ByteSize {
    /// In the largest binary unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS[..3].iter().rev().find(|(_, unit)| self.0 > 0 && self.0.is_multiple_of(*unit)) {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A positive count: `1000`, `1_000` or `1e3`.
///
/// # Errors
///
/// In words, what is allowed.
pub(crate) fn parse_count(text: &str) -> Result<NonZeroUsize, String> {
    let digits = text.trim().replace('_', "");
    let count = match digits.split_once(['e', 'E']) {
        None => digits.parse().ok(),
        Some((mantissa, exponent)) => {
            mantissa.parse::<usize>().ok().zip(exponent.parse().ok()).and_then(
                |(mantissa, exponent)| mantissa.checked_mul(10usize.checked_pow(exponent)?),
            )
        }
    };
    count
        .and_then(NonZeroUsize::new)
        .ok_or_else(|| "allowed: a whole number from 1 on, like 1000 or 1e3".to_owned())
}

/// A time above zero: `75s`, `1m 30s`, `500ms`.
///
/// # Errors
///
/// In words, what is allowed.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .ok()
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "allowed: a time above zero with its unit, like 75s, 500ms or 5m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(n: usize) -> NonZeroUsize {
        NonZeroUsize::new(n).expect("not zero")
    }

    #[test]
    fn powers_go_up_to_twice_the_cores_and_include_both_multiples() {
        let on = |cores| {
            WorkerCount::resolve(&[WorkerCount::Powers], count(cores))
                .into_iter()
                .map(usize::from)
                .collect::<Vec<_>>()
        };
        assert_eq!(on(1), [1, 2]);
        assert_eq!(on(2), [1, 2, 4]);
        assert_eq!(on(6), [1, 2, 4, 6, 8, 12]);
    }

    #[test]
    fn worker_counts_read_back_what_they_display() {
        for text in ["1", "7", "cores", "3*cores", "powers"] {
            assert_eq!(text.parse::<WorkerCount>().expect(text).to_string(), text);
        }
        for text in ["0", "-1", "two", "0*cores", "1025", ""] {
            assert!(text.parse::<WorkerCount>().is_err(), "{text}");
        }
    }

    #[test]
    fn byte_sizes_read_back_what_they_display() {
        for (text, bytes) in
            [("1KiB", 1024), ("256MiB", 256 << 20), ("2GiB", 2 << 30), ("1000B", 1000)]
        {
            let size: ByteSize = text.parse().expect(text);
            assert_eq!((size.0, size.to_string().as_str()), (bytes, text));
        }
        assert_eq!("4096".parse(), Ok(ByteSize(4096)));
        assert_eq!("1 MB".parse(), Ok(ByteSize(1_000_000)));
        assert!("1 parsec".parse::<ByteSize>().is_err());
    }

    #[test]
    fn counts_may_be_written_with_separators_and_exponents() {
        assert_eq!(parse_count("1_000"), Ok(count(1000)));
        assert_eq!(parse_count("1e6"), Ok(count(1_000_000)));
        for text in ["0", "1e99", "-3", "1.5", "many"] {
            assert!(parse_count(text).is_err(), "{text}");
        }
    }
}
