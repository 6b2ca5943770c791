//! Pools with nothing to do.

use std::{thread, time::Duration};

use multiproc::{SharedMemoryRings, StartMethod, pool::Bulk};
use pipe_pool::Pipes;
use procfs::process::{Process, all_processes};

use crate::{
    Sample, contest::nanoseconds, machine::WORKERS, pools, stage::Stage, task::square,
    trouble::Result,
};

/// After its last task a pool may wait for the next one as it likes.
const GRACE: Duration = Duration::from_millis(5);

/// How long it is watched then.
const WATCHED: Duration = Duration::from_secs(1);

/// What the pool's processes have used, and this one, but for the watching.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    nanoseconds: u64,
    wake_ups: u64,
}

pub(crate) fn processor_time(stage: &mut Stage<'_>) -> Result<()> {
    of_both(stage, |used| 100.0 * used.nanoseconds as f64 / nanoseconds(WATCHED))
}

pub(crate) fn wake_ups(stage: &mut Stage<'_>) -> Result<()> {
    of_both(stage, |used| used.wake_ups as f64)
}

fn of_both(stage: &mut Stage<'_>, figure: impl Fn(Used) -> f64 + Copy) -> Result<()> {
    let time = stage.part(2);
    of::<SharedMemoryRings>(stage, "shm-pool", time, figure)?;
    of::<Pipes>(stage, "pipe-pool", time, figure)
}

fn of<T: Bulk>(
    stage: &mut Stage<'_>,
    name: &str,
    time: Duration,
    figure: impl Fn(Used) -> f64,
) -> Result<()> {
    let pool = pools::as_it_comes::<T>(WORKERS, StartMethod::Spawn)?;
    stage.rounds(time, |stage, _| {
        assert_eq!(pool.map(square, 0..1_000)?.len(), 1_000);
        thread::sleep(GRACE);
        let before = used()?;
        thread::sleep(WATCHED);
        let after = used()?;
        // Less than before: a thread has ended, and took its share along.
        let used = Used {
            nanoseconds: after.nanoseconds.saturating_sub(before.nanoseconds),
            wake_ups: after.wake_ups.saturating_sub(before.wake_ups),
        };
        let value = figure(used);
        stage.report(name, value, vec![Sample { contestant: name.to_owned(), value }])
    })
}

/// By all threads of all processes below this one, and by this one's but the
/// one that asks, whose sleeping and looking is not the pool's.
fn used() -> Result<Used> {
    let me = Process::myself()?;
    let mut used = Used::default();
    for process in descendants(me.pid)? {
        add(&mut used, &process, None)?;
    }
    add(&mut used, &me, Some(nix::unistd::gettid().as_raw()))?;
    Ok(used)
}

fn add(used: &mut Used, process: &Process, except: Option<i32>) -> Result<()> {
    for task in process.tasks()? {
        let task = task?;
        if Some(task.tid) == except {
            continue;
        }
        // Every sleep that ends is one more.
        let status = task.status()?;
        used.wake_ups += status.voluntary_ctxt_switches.unwrap_or_default();
        used.nanoseconds += task.schedstat()?.sum_exec_runtime;
    }
    Ok(())
}

/// All processes below `ancestor`.
fn descendants(ancestor: i32) -> Result<Vec<Process>> {
    let mut parents = Vec::new();
    for process in all_processes()? {
        // What ends while one looks is no descendant any more.
        let Ok(process) = process else { continue };
        let Ok(stat) = process.stat() else { continue };
        parents.push((process, stat.ppid));
    }
    let mut found = vec![ancestor];
    let mut known = 0;
    while known < found.len() {
        let parent = found[known];
        found
            .extend(parents.iter().filter(|(_, ppid)| *ppid == parent).map(|(child, _)| child.pid));
        known += 1;
    }
    let is_below = |process: &Process| found[1..].contains(&process.pid);
    Ok(parents.into_iter().map(|(process, _)| process).filter(is_below).collect())
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read,
        process::{Command, Stdio},
    };

    use super::*;

    #[test]
    fn a_child_that_slept_and_worked_is_found_with_what_it_used() {
        let mut child = Command::new("sh")
            .args(["-c", "sleep 0.01; echo x; read line"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut said = [0];
        child.stdout.as_mut().expect("a pipe").read_exact(&mut said).expect("it speaks");
        let me = std::process::id().cast_signed();
        let found = descendants(me).expect("/proc can be read").into_iter();
        let found = found.filter(|process| process.pid == child.id().cast_signed());
        let mut used = Used::default();
        for process in found {
            add(&mut used, &process, None).expect("it lives");
        }
        assert!(used.wake_ups > 0 && used.nanoseconds > 0, "{used:?}");
        drop(child.stdin.take());
        child.wait().expect("it ends");
    }
}
