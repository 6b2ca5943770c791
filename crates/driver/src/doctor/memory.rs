//! Memory: whether there is enough, and of which kind.

use super::{
    evidence::Evidence,
    finding::{Finding, bytes},
};
use crate::environment::{self, chosen, files::Files};

const AVAILABLE: &str = "memory available";
const SWAP: &str = "swap";
const HUGE: &str = "huge pages";

/// Below this share of all memory the system begins to give back what it has
/// cached, at the cost of whoever asks.
const SHORT: f64 = 0.1;

/// Memory available, swap, transparent huge pages.
pub(super) fn findings(files: &dyn Files, evidence: &Evidence) -> Vec<Finding> {
    let swapped_in = evidence.change.map_or(0, |change| change.swapped_in);
    vec![
        available(files, environment::available_memory()),
        swap(files, swapped_in),
        huge_pages(files),
    ]
}

fn available(files: &dyn Files, available: Option<u64>) -> Finding {
    let (Some(total), Some(available)) = (field(files, "MemTotal"), available) else {
        return Finding::unread(AVAILABLE, "no /proc/meminfo");
    };
    let available = available as f64;
    let value = format!("{} of {}", bytes(available), bytes(total));
    let finding = if available < SHORT * total {
        Finding::warn(AVAILABLE, value, "close programs: large arrays are left out or swapped")
    } else {
        Finding::ok(AVAILABLE, value)
    };
    finding.with("bytes", available)
}

fn swap(files: &dyn Files, swapped_in: u64) -> Finding {
    let (Some(total), Some(free)) = (field(files, "SwapTotal"), field(files, "SwapFree")) else {
        return Finding::unread(SWAP, "no /proc/meminfo");
    };
    let used = (total - free).max(0.0);
    let finding = if swapped_in > 0 {
        let value = format!("{swapped_in} pages came back from it while this ran");
        Finding::warn(SWAP, value, "close programs, or add memory")
    } else if used > 0.0 {
        Finding::note(SWAP, format!("{} in use, nothing came back while this ran", bytes(used)))
    } else if total > 0.0 {
        Finding::ok(SWAP, format!("none of {} in use", bytes(total)))
    } else {
        Finding::ok(SWAP, "there is none")
    };
    finding.with("used_bytes", used).with("pages_swapped_in", swapped_in as f64)
}

/// With `always`, whether an array gets huge pages depends on what is free at
/// that moment, which differs from one start to the next.
fn huge_pages(files: &dyn Files) -> Finding {
    let of = |name: &str| {
        let path = format!("/sys/kernel/mm/transparent_hugepage/{name}");
        files.line(&path).and_then(|line| chosen(&line))
    };
    let Some(enabled) = of("enabled") else {
        return Finding::unread(HUGE, "the kernel has no transparent ones");
    };
    let shared = of("shmem_enabled").unwrap_or_else(|| "not told".to_owned());
    let value = format!("{enabled}; for shared memory: {shared}");
    match enabled.as_str() {
        "always" => Finding::note(HUGE, format!("{value} (luck of each start)"))
            .advising("echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"),
        _ => Finding::ok(HUGE, value),
    }
}

/// A line of `/proc/meminfo`, in bytes.
fn field(files: &dyn Files, name: &str) -> Option<f64> {
    let text = files.text("/proc/meminfo")?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(value.trim().trim_end_matches(" kB").parse::<f64>().ok()? * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    type Texts = &'static [(&'static str, &'static str)];

    const LAPTOP: Texts = &[
        (
            "/proc/meminfo",
            "MemTotal:       16384000 kB\nMemAvailable:    9000000 kB\nSwapTotal:       2097152 kB\nSwapFree:        1048576 kB\n",
        ),
        ("/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n"),
        (
            "/sys/kernel/mm/transparent_hugepage/shmem_enabled",
            "always within_size advise [never] deny force\n",
        ),
    ];

    const SERVER: Texts = &[
        (
            "/proc/meminfo",
            "MemTotal:        4096000 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n",
        ),
        ("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
    ];

    #[test]
    fn swap_in_use_is_noted_and_pages_that_come_back_are_warned_of() {
        assert_eq!(swap(&LAPTOP, 0).value, "1.0 GiB in use, nothing came back while this ran");
        assert_eq!(swap(&LAPTOP, 12).level, Level::Warn);
        assert_eq!(swap(&SERVER, 0).value, "there is none");
    }

    #[test]
    fn memory_that_is_nearly_used_up_is_warned_of() {
        assert_eq!(available(&SERVER, Some(3 << 30)).level, Level::Ok);
        let short = available(&SERVER, Some(200 << 20));
        assert_eq!((short.level, short.value.as_str()), (Level::Warn, "200 MiB of 3.9 GiB"));
    }

    #[test]
    fn huge_pages_are_told_for_private_and_for_shared_memory() {
        assert_eq!(huge_pages(&SERVER).value, "madvise; for shared memory: not told");
        assert_eq!(huge_pages(&LAPTOP).level, Level::Note);
        assert!(huge_pages(&LAPTOP).value.starts_with("always; for shared memory: never"));
    }

    #[test]
    fn without_proc_nothing_is_made_up() {
        let none: Texts = &[];
        for finding in [available(&none, None), swap(&none, 0), huge_pages(&none)] {
            assert!(finding.value.starts_with("cannot be read"), "{finding:?}");
        }
    }
}
