//! Facts about the machine and the build: `environment.json`.

use serde::{Deserialize, Serialize};

/// Where and with what a sweep was measured.
///
/// A fact that cannot be had is `None`; reports say "unknown".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Environment {
    /// Start of the sweep, seconds since 1970-01-01 UTC.
    pub started_unix_s: u64,
    /// Version of the driver.
    pub version: String,
    /// Commit that it was built from, with `-dirty` if the tree had changes.
    pub commit: Option<String>,
    /// Cargo profile that it was built with.
    pub profile: String,
    /// Optimisation level of that profile.
    pub opt_level: String,
    /// Compiler version.
    pub rustc: String,
    /// Target triple.
    pub target: String,
    /// Instruction set that the kernels were dispatched to.
    pub instruction_set: String,
    /// e.g. `Debian GNU/Linux 12`.
    pub os: Option<String>,
    /// Kernel release.
    pub kernel: Option<String>,
    /// Processor's brand string.
    pub cpu: Option<String>,
    /// Logical cores of the host.
    pub host_cores: usize,
    /// Cores that can be used here, affinity and cgroup quota counted.
    pub available_cores: usize,
    /// Processors that a cgroup quota allows, if there is one.
    pub cgroup_quota_cores: Option<f64>,
    /// Hypervisor or container technology, if one is seen.
    pub virtualization: Option<String>,
    /// cpufreq governor.
    pub governor: Option<String>,
    /// Frequency at the start, in MHz.
    pub frequency_mhz: Option<f64>,
    /// Physical memory.
    pub memory_bytes: u64,
    /// Memory available at the start.
    pub memory_available_bytes: u64,
    /// Swap in use at the start.
    pub swap_used_bytes: u64,
    /// One-minute load average at the start.
    pub load_average_1m: f64,
    /// `/proc/pressure/cpu`, share of the last ten seconds in which something waited, in percent.
    pub cpu_pressure_percent: Option<f64>,
    /// Shared-memory huge pages setting.
    pub shmem_huge_pages: Option<String>,
}
