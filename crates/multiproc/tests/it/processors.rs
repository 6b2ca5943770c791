//! How many processors this process may use.

use std::process::Command;

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use crate::{
    examples::{executable, number_after},
    in_a_process_of_its_own,
};

/// The cores that this thread may run on.
fn cores() -> Vec<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    (0..CpuSet::count()).filter(|&core| allowed.is_set(core).unwrap()).collect()
}

#[test]
fn cores_that_this_process_must_not_use_do_not_count() {
    in_a_process_of_its_own(|| {
        let all = multiproc::host_cpu_count();
        let mut one = CpuSet::new();
        one.set(cores()[0]).unwrap();
        sched_setaffinity(Pid::from_raw(0), &one).unwrap();
        assert_eq!(multiproc::cpu_count().get(), 1);
        assert_eq!(multiproc::host_cpu_count(), all);
    });
}

/// Runs a program as root of a namespace in which a file system of its own
/// tells of this cgroup, version 1 or 2, that it may use so many microseconds of
/// processor time in 100 000.
const WITH_QUOTA: &str = r#"
set -e
mount -t tmpfs none /sys/fs/cgroup
while IFS=: read -r number controllers path; do
    for root in "" /cpu /cpu,cpuacct; do
        mkdir -p "/sys/fs/cgroup$root$path"
        : > "/sys/fs/cgroup$root$path/cgroup.controllers"
    done
done < /proc/self/cgroup
for root in "" /cpu /cpu,cpuacct; do
    echo "$2 100000" > "/sys/fs/cgroup$root/cpu.max"
    echo "$2" > "/sys/fs/cgroup$root/cpu.cfs_quota_us"
    echo 100000 > "/sys/fs/cgroup$root/cpu.cfs_period_us"
done
exec "$1"
"#;

#[test]
fn a_quota_of_the_cgroup_counts() {
    let in_namespace = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount"]);
        command
    };
    // Some systems leave namespaces to administrators; then there is no cgroup
    // either in which a test could set a quota.
    if !in_namespace().arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: no namespace can be had here");
        return;
    }
    let counted = |quota: &str| {
        let mut command = in_namespace();
        command.args(["sh", "-c", WITH_QUOTA, "sh"]).arg(executable("cpu_count")).arg(quota);
        let output = command.output().unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{complaints}");
        let output = String::from_utf8(output.stdout).unwrap();
        number_after("CPUs that this process may use: ", &output)
    };
    let all = cores().len() as u32;
    assert_eq!(counted("100000"), 1);
    // Less than one is one, and a half is no core.
    assert_eq!(counted("50000"), 1);
    assert_eq!(counted("250000"), all.min(2));
    assert_eq!(counted("100000000"), all);
}
