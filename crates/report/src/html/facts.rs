//! The machine, the build and the method.

use harness::environment::Environment;
use maud::{Markup, html};

use crate::{calendar::utc, format, model::Report};

/// One line below the headline: what it was measured on.
pub(super) fn machine_line(report: &Report) -> String {
    let environment = &report.environment;
    let cores = environment.available_cores;
    let mut parts = vec![
        known(environment.cpu.as_deref()),
        format!("{cores} core{}", if cores == 1 { "" } else { "s" }),
    ];
    parts.extend(environment.os.clone());
    parts.push(utc(environment.started_unix_s));
    parts.join(" · ")
}

/// Every fact about the machine and the build, and the config as it was run.
pub(super) fn environment(report: &Report) -> Markup {
    html! {
        section aria-labelledby="environment" {
            h2 id="environment" { "Environment" }
            dl {
                @for (name, fact) in facts(&report.environment) {
                    div { dt { (name) } dd { (fact) } }
                }
                @if let Some(share) = &report.driver {
                    div { dt { "the driver itself" } dd { (format::driver_share(share)) } }
                }
                div { dt { "seed" } dd { (report.seed) } }
            }
            details {
                summary { "The config as it was run" }
                pre tabindex="0" { (report.config_toml) }
            }
        }
    }
}

fn facts(environment: &Environment) -> Vec<(&'static str, String)> {
    let optional = |fact: &Option<String>| known(fact.as_deref());
    let number = |fact: Option<f64>, unit: &str| {
        known(fact.map(|fact| format!("{fact:.1}{unit}")).as_deref())
    };
    vec![
        ("started", utc(environment.started_unix_s)),
        ("processor", optional(&environment.cpu)),
        ("cores available", environment.available_cores.to_string()),
        ("cores of the host", environment.host_cores.to_string()),
        (
            "cgroup quota, cores",
            environment.cgroup_quota_cores.map_or("none".to_owned(), |cores| format!("{cores:.1}")),
        ),
        ("virtualisation", optional(&environment.virtualization)),
        ("governor", optional(&environment.governor)),
        ("frequency", number(environment.frequency_mhz, " MHz")),
        ("memory", format::bytes(environment.memory_bytes as f64)),
        ("memory available", format::bytes(environment.memory_available_bytes as f64)),
        ("swap in use", format::bytes(environment.swap_used_bytes as f64)),
        ("load average, 1 min", format!("{:.2}", environment.load_average_1m)),
        ("CPU pressure, 10 s", number(environment.cpu_pressure_percent, " %")),
        ("shared huge pages", optional(&environment.shmem_huge_pages)),
        ("operating system", optional(&environment.os)),
        ("kernel", optional(&environment.kernel)),
        ("driver", environment.version.clone()),
        ("commit", optional(&environment.commit)),
        ("profile", format!("{}, opt-level {}", environment.profile, environment.opt_level)),
        ("compiler", environment.rustc.clone()),
        ("target", environment.target.clone()),
        ("instruction set of the kernels", environment.instruction_set.clone()),
    ]
}

fn known(fact: Option<&str>) -> String {
    fact.unwrap_or("unknown").to_owned()
}

/// How the figures came about and what they cannot tell.
pub(super) fn method() -> Markup {
    html! {
        section aria-labelledby="method" {
            h2 id="method" { "Method" }
            p {
                "Every configuration runs in a process of its own. All configurations of a block \
                 are alive at once and asleep while it is another's turn. A round samples each of \
                 them once, in an order that is balanced for position and for what a predecessor \
                 leaves behind. Every answer is checked; a wrong one is a failure and never a time."
            }
            p {
                "Speed-ups are medians of ratios within a round, so that drift of the machine \
                 cancels. Intervals are at 95 %, Student\u{2019}s over the medians of the lives of \
                 the processes, since rounds of one life share its luck; with one life they \
                 speak for that one only. Fewer than six values give no interval and say \
                 \u{201c}too few\u{201d}. Rounds during which the machine was busy with something \
                 else are contaminated; they are left out as long as half of all and three are clean."
            }
            p {
                "Efficiency is speed-up ÷ workers. Granularity is the mean task time, time × workers \
                 ÷ tasks. METG(50%) is the smallest granularity that keeps an efficiency of one \
                 half (Slaughter et al., Task Bench, SC20), printed only when points lie on both \
                 sides. Where it says \u{201c}pinned\u{201d}, every worker stays on a core of its \
                 own: two on one core of two have an efficiency of one half, METG\u{2019}s \
                 threshold. The serial fraction is the Karp–Flatt metric. Amdahl\u{2019}s law and \
                 Gunther\u{2019}s Universal Scalability Law are fitted to points without more \
                 workers than cores, and refused when those cannot identify them."
            }
            p {
                "What is called predicted was not measured: a discrete-event simulation of the \
                 job, with the costs to wake, to dispatch (one worker at a time), to claim and to \
                 copy that fit the times of the sweep\u{2019}s warm jobs. It knows nothing of \
                 caches, memory buses and NUMA of machines with more cores. \u{201c}Off by\u{201d} \
                 is its error for jobs that it was not fitted to; the range is what costs give \
                 that fit about as well."
            }
            p {
                "The figures hold for this machine, these kernels and this build. They cannot tell \
                 how another machine, tasks of uneven length or a busy host would fare."
            }
        }
    }
}
