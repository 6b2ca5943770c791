//! What `--help` says below the arguments.

/// The exit codes of what measures, and what an interrupt leaves.
macro_rules! exit_codes {
    ($left:literal) => {
        concat!(
            "Exit codes:
  0    everything was measured
  1    something failed; the rest was measured all the same
  2    the command line or the config is not usable; nothing was measured
  130  interrupted",
            $left
        )
    };
}

pub(super) const EXIT_CODES: &str = exit_codes!("");

pub(super) const SWEEP_HELP: &str = exit_codes!(
    "; what was measured is saved, and `--resume` goes on with it,
       unless it is a sweep of limits"
);

pub(super) const REPORT_HELP: &str = "\
Exit codes:
  0    it was drawn, and everything in it was measured
  1    it was drawn, and something in it had failed
  2    the folder is no sweep's or cannot be written, or the command line is not
       usable";

pub(super) const COMPARE_HELP: &str = "\
Examples:
  driver compare reports/sample reports/latest
  driver compare before after --markdown compared.md
  driver compare before after --json | jq '.cells[] | select(.verdict == \"slower\")'

Exit codes:
  0    both could be read, whatever the comparison says
  2    one of them cannot be read, or the command line is not usable";

pub(super) const HISTORY_HELP: &str = "\
Examples:
  driver history
  driver history /srv/nightly --out /srv/www/history
  jq '.trends[].cells[] | select(.changes != [])' reports/history/history.json

Exit codes:
  0    a history was drawn, whatever has changed
  2    there is no finished sweep in the folder, it is itself a sweep's and there
       is no `--out`, or the command line is not usable";

pub(super) const DOCTOR_HELP: &str = "\
Examples:
  driver doctor                    a line a finding, and what to do
  driver doctor --json | jq .warnings
  driver doctor && driver sweep    measure only where nothing disturbs

Exit codes:
  0    fit for measuring
  1    usable; the warnings matter for comparisons
  2    the command line is not usable";

pub(super) const DUEL_HELP: &str = "\
Example:
  driver duel --base /tmp/base/driver --head target/release/driver --margin 3

Exit codes:
  0    pass: no cell is slower by more than the margin
  1    regression: some cell is shown to be
  3    inconclusive: neither was shown; give it more time, or a quieter machine
  2    broken: something could not be measured, or the command line is not usable
  130  interrupted";

pub(super) const INSTRUCTIONS_HELP: &str = "\
Examples:
  driver instructions
  driver instructions --base /tmp/base/driver --margin 1 --out counts
  driver instructions --paths kernel

Exit codes:
  0    pass: everything that can be counted was, and no path executes more
       instructions than base by more than the margin
  1    regression: some path does
  2    broken: what could be counted of base could not be of head, or is not
       there, or nothing could be and there is no base, or the command line is
       not usable
  3    inconclusive: valgrind is missing, or nothing can be compared with base";

pub(super) const SELFTEST_HELP: &str = "\
Exit codes:
  0    false alarms and detection are as they are meant to be
  1    they are not, on this machine in this time
  2    the command line is not usable, or nothing could be measured
  130  interrupted";
