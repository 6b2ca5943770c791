//! The cores: which there are, how fast they run and what changes that.

use std::collections::BTreeSet;

use super::{
    evidence::Evidence,
    finding::{Finding, percent},
};
use crate::environment::{files::Files, virtualization};

const CPU: &str = "/sys/devices/system/cpu";

const FREQUENCY: &str = "frequency";
const GOVERNOR: &str = "governor";
const TURBO: &str = "turbo";
const HEAT: &str = "thermal throttling";
const SIBLINGS: &str = "SMT";
const AFFINITY: &str = "affinity";
const MACHINE: &str = "virtual machine";

/// By how much the frequency may vary under load before it is warned of.
const STEADY: f64 = 0.05;

/// Frequency, governor, turbo, heat, SMT, affinity, virtual machine.
pub(super) fn findings(files: &dyn Files, evidence: &Evidence) -> Vec<Finding> {
    let cores = &evidence.cores[..];
    vec![
        frequency(files, cores, &evidence.mhz),
        governor(files, cores),
        turbo(files),
        heat(evidence.before.hot, evidence.after.hot),
        siblings(files, cores),
        affinity(files, cores),
        machine(virtualization()),
    ]
}

fn frequency(files: &dyn Files, cores: &[usize], mhz: &[f64]) -> Finding {
    let (low, high) = mhz
        .iter()
        .fold((f64::INFINITY, 0.0_f64), |(low, high), &mhz| (low.min(mhz), high.max(mhz)));
    let Some(&now) = mhz.last() else {
        return Finding::unread(FREQUENCY, "neither cpufreq nor /proc/cpuinfo has it");
    };
    let of = |core: &usize| files.number(&format!("{CPU}/cpu{core}/cpufreq/cpuinfo_max_freq"));
    let max = cores.iter().filter_map(of).map(|khz| khz / 1e3).reduce(f64::max);
    let range = format!("{low:.0} to {high:.0} under load");
    let varies = 1.0 - low / high;
    let finding = match max {
        // The table shows what the processor was sold with, or what the
        // hypervisor says.
        None => Finding::note(FREQUENCY, format!("{now:.0} MHz, {range}; maximum not told")),
        Some(max) if varies > STEADY => {
            let advice = "fix it: governor `performance`, turbo off, a cool machine on mains";
            let value = format!("{now:.0} of {max:.0} MHz, {range} ({})", percent(varies));
            Finding::warn(FREQUENCY, value, advice)
        }
        Some(max) => Finding::ok(FREQUENCY, format!("{now:.0} of {max:.0} MHz, {range}")),
    };
    let max = max.unwrap_or(f64::NAN);
    finding.with("now_mhz", now).with("max_mhz", max).with("low_mhz", low).with("high_mhz", high)
}

fn governor(files: &dyn Files, cores: &[usize]) -> Finding {
    let of = |core: &usize| files.line(&format!("{CPU}/cpu{core}/cpufreq/scaling_governor"));
    let governors: BTreeSet<String> = cores.iter().filter_map(of).collect();
    if governors.is_empty() {
        return Finding::unread(GOVERNOR, "no cpufreq (usual in virtual machines)");
    }
    let names = governors.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    if names == "performance" {
        return Finding::ok(GOVERNOR, names);
    }
    let advice = "sudo cpupower frequency-set -g performance";
    Finding::warn(GOVERNOR, format!("{names}: the clock follows the load"), advice)
}

/// Intel's switch says that it is off, everybody else's that it is on.
fn turbo(files: &dyn Files) -> Finding {
    let (no_turbo, boost) =
        (format!("{CPU}/intel_pstate/no_turbo"), format!("{CPU}/cpufreq/boost"));
    let intel = files.number(&no_turbo).map(|off| off == 0.0);
    let is_on = intel.or_else(|| files.number(&boost).map(|on| on != 0.0));
    match is_on {
        None => Finding::unread(TURBO, "no switch (usual in virtual machines)"),
        Some(false) => Finding::ok(TURBO, "off"),
        Some(true) => {
            let (value, path) = if intel.is_some() { (1, no_turbo) } else { (0, boost) };
            Finding::note(TURBO, "on: the more cores work, the slower is each")
                .advising(format!("echo {value} | sudo tee {path}"))
        }
    }
}

fn heat(before: Option<u64>, after: Option<u64>) -> Finding {
    let Some((before, after)) = before.zip(after) else {
        return Finding::unread(HEAT, "no counter (usual in virtual machines)");
    };
    let finding = if after > before {
        let advice = "let it cool, clean the fan, measure at a lower fixed frequency";
        Finding::warn(HEAT, format!("{} times while this ran", after - before), advice)
    } else if after > 0 {
        Finding::note(HEAT, format!("{after} times since it was started, not while this ran"))
    } else {
        Finding::ok(HEAT, "never since it was started")
    };
    finding.with("since_start", after as f64)
}

fn siblings(files: &dyn Files, cores: &[usize]) -> Finding {
    let usable: BTreeSet<usize> = cores.iter().copied().collect();
    let of = |core: &usize| {
        let list = files.line(&format!("{CPU}/cpu{core}/topology/thread_siblings_list"))?;
        Some(parse_list(&list).intersection(&usable).copied().collect::<BTreeSet<_>>())
    };
    let groups: BTreeSet<BTreeSet<usize>> = cores.iter().filter_map(of).collect();
    if groups.is_empty() {
        return Finding::unread(SIBLINGS, "which cores share is not told");
    }
    let physical = groups.len() as f64;
    let shared: Vec<String> =
        groups.iter().filter(|group| group.len() > 1).map(show_list).collect();
    let finding = match shared.first() {
        None => Finding::ok(SIBLINGS, "no usable cores share a physical one, as far as told"),
        Some(first) => {
            let whole: Vec<String> =
                groups.iter().filter_map(|group| group.first()).map(usize::to_string).collect();
            let value = format!("{physical} physical cores; {first} share one{}", also(&shared));
            Finding::note(SIBLINGS, value)
                .advising(format!("for one task a physical core: taskset -c {}", whole.join(",")))
        }
    };
    finding.with("physical_cores", physical)
}

/// A machine with a hundred cores has no room for all pairs.
fn also(shared: &[String]) -> String {
    match shared.len() {
        0 | 1 => String::new(),
        2 => format!(", {} too", shared[1]),
        more => format!(", {} and {} more pairs too", shared[1], more - 2),
    }
}

fn affinity(files: &dyn Files, cores: &[usize]) -> Finding {
    let online = files.line(&format!("{CPU}/online")).map(|list| parse_list(&list));
    let usable: BTreeSet<usize> = cores.iter().copied().collect();
    let list = show_list(&usable);
    let finding = match online {
        _ if usable.len() == 1 => {
            let advice = "give it two cores at least: one shows no speed-up";
            Finding::warn(AFFINITY, format!("one core only: {list}"), advice)
        }
        Some(online) if online.len() > usable.len() => {
            let value = format!("cores {list}, of {} that are online", online.len());
            Finding::note(AFFINITY, value)
        }
        Some(_) => Finding::ok(AFFINITY, format!("all {} cores: {list}", usable.len())),
        None => Finding::note(AFFINITY, format!("cores {list}; how many are online is not told")),
    };
    finding.with("cores", usable.len() as f64)
}

fn machine(virtualization: Option<String>) -> Finding {
    match virtualization {
        None => Finding::ok(MACHINE, "none is seen"),
        Some(name) => Finding::note(MACHINE, format!("{name}; not all neighbours show")),
    }
}

/// `0-3,8` as the kernel writes sets of cores.
fn parse_list(list: &str) -> BTreeSet<usize> {
    let ranges = list.trim().split(',').filter_map(|range| {
        let (low, high) = range.split_once('-').unwrap_or((range, range));
        Some(low.parse::<usize>().ok()?..=high.parse().ok()?)
    });
    ranges.flatten().collect()
}

fn show_list(cores: &BTreeSet<usize>) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &core in cores {
        match ranges.last_mut() {
            Some((_, high)) if *high + 1 == core => *high = core,
            _ => ranges.push((core, core)),
        }
    }
    let show = |(low, high)| if low == high { format!("{low}") } else { format!("{low}-{high}") };
    ranges.into_iter().map(show).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    type Texts = &'static [(&'static str, &'static str)];

    /// A laptop: two physical cores of two threads each, power saving, turbo.
    const LAPTOP: Texts = &[
        ("/sys/devices/system/cpu/online", "0-3\n"),
        ("/sys/devices/system/cpu/intel_pstate/no_turbo", "0\n"),
        ("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "4000000\n"),
        ("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
        ("/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n"),
        ("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0,2\n"),
        ("/sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1,3\n"),
        ("/sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "0,2\n"),
        ("/sys/devices/system/cpu/cpu3/topology/thread_siblings_list", "1,3\n"),
    ];

    /// A server that somebody has set up for measuring.
    const SERVER: Texts = &[
        ("/sys/devices/system/cpu/online", "0-1\n"),
        ("/sys/devices/system/cpu/cpufreq/boost", "0\n"),
        ("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "2500000\n"),
        ("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"),
        ("/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n"),
        ("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0\n"),
        ("/sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1\n"),
    ];

    /// A virtual machine has the list of its cores and nothing else.
    const VIRTUAL: Texts = &[("/sys/devices/system/cpu/online", "0-1\n")];

    fn found(texts: Texts, cores: &[usize], mhz: &[f64]) -> Vec<Finding> {
        let evidence = Evidence { cores: cores.to_vec(), mhz: mhz.to_vec(), ..Evidence::default() };
        findings(&texts, &evidence)
    }

    #[test]
    fn a_laptop_that_saves_power_is_warned_of_and_told_the_commands() {
        let found = found(LAPTOP, &[0, 1, 2, 3], &[3900.0, 2600.0]);
        let [frequency, governor, turbo, _, smt, affinity, _] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!(frequency.value, "2600 of 4000 MHz, 2600 to 3900 under load (33 %)");
        assert_eq!(governor.value, "performance, powersave: the clock follows the load");
        assert_eq!((frequency.level, governor.level), (Level::Warn, Level::Warn));
        assert!(turbo.advice.as_ref().is_some_and(|advice| advice.starts_with("echo 1 |")));
        assert_eq!(smt.value, "2 physical cores; 0,2 share one, 1,3 too");
        assert_eq!(smt.advice.as_deref(), Some("for one task a physical core: taskset -c 0,1"));
        assert_eq!(affinity.value, "all 4 cores: 0-3");
    }

    #[test]
    fn a_machine_set_up_for_measuring_has_nothing_to_change() {
        let found = found(SERVER, &[0, 1], &[2500.0, 2490.0]);
        let levels: Vec<Level> = [0, 1, 2, 4, 5].map(|place| found[place].level).to_vec();
        assert_eq!(levels, [Level::Ok; 5], "{found:?}");
    }

    #[test]
    fn a_virtual_machine_that_tells_little_is_noted_and_not_warned_of() {
        let found = found(VIRTUAL, &[0, 1], &[]);
        for place in [0, 1, 2, 3, 4] {
            assert!(found[place].value.starts_with("cannot be read"), "{found:?}");
            assert_eq!(found[place].level, Level::Note);
        }
        let told = frequency(&VIRTUAL, &[0], &[2500.0]);
        assert!(told.value.ends_with("maximum not told"), "{told:?}");
    }

    #[test]
    fn fewer_cores_than_there_are_and_one_alone_are_told() {
        assert_eq!(affinity(&LAPTOP, &[0, 2]).value, "cores 0,2, of 4 that are online");
        assert_eq!(affinity(&LAPTOP, &[3]).level, Level::Warn);
        assert_eq!(siblings(&LAPTOP, &[0, 1]).level, Level::Ok, "the siblings are not used");
    }

    #[test]
    fn a_core_that_was_slowed_down_now_is_worse_than_one_that_once_was() {
        assert_eq!(heat(Some(3), Some(5)).level, Level::Warn);
        assert_eq!(heat(Some(3), Some(3)).level, Level::Note);
        assert_eq!(heat(Some(0), Some(0)).level, Level::Ok);
    }

    #[test]
    fn sets_of_cores_are_read_and_written_as_the_kernel_does() {
        for list in ["0", "0-3", "0-1,4,6-7"] {
            assert_eq!(show_list(&parse_list(list)), list);
        }
    }
}
