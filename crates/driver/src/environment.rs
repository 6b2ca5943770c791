//! Facts about the machine and the build, gathered before anything runs.

pub(crate) mod cgroup;
pub(crate) mod files;

use std::{fs, num::NonZeroUsize, path::Path, time::SystemTime};

use files::{Files, Machine};
use harness::environment::Environment;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// Cores that can be used here: the standard library counts the affinity mask
/// and cgroup quotas, version 1 and 2. One if it cannot tell.
pub(crate) fn available_cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Bytes that could be allocated without swapping, if that can be told.
pub(crate) fn available_memory() -> Option<u64> {
    let system = look(RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram()))?;
    let limit = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
    Some(system.available_memory().min(limit))
}

/// Everything that a report says about where it was measured.
pub(crate) fn gather() -> Environment {
    let mut facts = Environment {
        started_unix_s: unix_seconds(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: non_empty(env!("MANYHANDS_COMMIT")),
        profile: env!("MANYHANDS_PROFILE").to_owned(),
        opt_level: env!("MANYHANDS_OPT_LEVEL").to_owned(),
        rustc: env!("MANYHANDS_RUSTC").to_owned(),
        target: env!("MANYHANDS_TARGET").to_owned(),
        instruction_set: harness::workloads::instruction_set(),
        os: System::long_os_version().ok(),
        kernel: System::kernel_version().ok(),
        host_cores: available_cores().get(),
        available_cores: available_cores().get(),
        cgroup_quota_cores: cgroup::quota_cores(&Machine),
        virtualization: virtualization(),
        governor: Machine.line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        load_average_1m: System::load_average().map_or(0.0, |load| load.one),
        cpu_pressure_percent: cpu_pressure(),
        shmem_huge_pages: Machine
            .line("/sys/kernel/mm/transparent_hugepage/shmem_enabled")
            .and_then(|line| chosen(&line)),
        ..Environment::default()
    };
    add_processor_and_memory(&mut facts);
    facts
}

fn add_processor_and_memory(facts: &mut Environment) {
    let cpu = CpuRefreshKind::nothing().with_frequency();
    let memory = MemoryRefreshKind::everything();
    let Some(system) = look(RefreshKind::nothing().with_cpu(cpu).with_memory(memory)) else {
        return;
    };
    facts.host_cores = system.cpus().len().max(facts.available_cores);
    facts.memory_bytes = system.total_memory();
    facts.memory_available_bytes = system.available_memory();
    facts.swap_used_bytes = system.used_swap();
    if let Some(cpu) = system.cpus().first() {
        facts.cpu = non_empty(cpu.brand().trim());
        facts.frequency_mhz = Some(cpu.frequency() as f64).filter(|&mhz| mhz > 0.0);
    }
}

fn look(what: RefreshKind) -> Option<System> {
    System::new_with_specifics(what).ok()
}

/// Now, in seconds since 1970-01-01 UTC.
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// What stands in brackets: `always [madvise] never`.
pub(crate) fn chosen(line: &str) -> Option<String> {
    Some(line.split_once('[')?.1.split_once(']')?.0.to_owned())
}

/// Container and hypervisor, if one is seen. A container is named first: it is
/// the nearer limit.
pub(crate) fn virtualization() -> Option<String> {
    let container = Path::new("/.dockerenv").exists().then(|| "docker".to_owned());
    let container = container.or_else(|| Machine.line("/run/systemd/container"));
    let machine = ["sys_vendor", "product_name"]
        .map(|name| Machine.line(&format!("/sys/class/dmi/id/{name}")).unwrap_or_default());
    let hypervisor = fs::read_to_string("/proc/cpuinfo").is_ok_and(|info| {
        info.lines().any(|line| line.starts_with("flags") && line.contains(" hypervisor"))
    });
    let hypervisor = hypervisor.then(|| {
        Machine
            .line("/sys/hypervisor/type")
            .or_else(|| non_empty(machine.join(" ").trim()))
            .unwrap_or_else(|| "a hypervisor".to_owned())
    });
    match (container, hypervisor) {
        (Some(container), Some(hypervisor)) => Some(format!("{container} on {hypervisor}")),
        (container, hypervisor) => container.or(hypervisor),
    }
}

/// `some avg10=1.53 …`: percent of the last ten seconds.
fn cpu_pressure() -> Option<f64> {
    Machine
        .line("/proc/pressure/cpu")?
        .split_whitespace()
        .find_map(|field| field.strip_prefix("avg10="))?
        .parse()
        .ok()
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_that_every_linux_has_are_there() {
        let facts = gather();
        assert!(facts.kernel.is_some() && facts.memory_bytes > 0);
        assert!((1..=facts.host_cores).contains(&facts.available_cores));
        assert!(facts.rustc.starts_with("rustc ") && !facts.instruction_set.is_empty());
    }
}
