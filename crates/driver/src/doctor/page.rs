//! The diagnosis for people: a line a finding, the verdict last.

use super::{Diagnosis, finding::Finding};

/// The longest name of a finding, with two blanks.
const NAME: usize = 20;

/// At most `width` columns wide; what does not fit goes on below itself.
pub(super) fn lay_out(diagnosis: &Diagnosis, width: usize) -> String {
    let lines: String =
        diagnosis.findings.iter().map(|finding| finding_lines(finding, width)).collect();
    format!("{lines}\n{}\n", wrapped(&verdict(diagnosis), "", "", width))
}

fn finding_lines(finding: &Finding, width: usize) -> String {
    let first = format!("{:<4}  {:<NAME$}", finding.level.word(), finding.what);
    let hanging = " ".repeat(first.len());
    let mut lines = wrapped(&finding.value, &first, &hanging, width) + "\n";
    if let Some(advice) = &finding.advice {
        lines += &(wrapped(advice, "      → ", "        ", width) + "\n");
    }
    lines
}

fn wrapped(text: &str, first: &str, hanging: &str, width: usize) -> String {
    let options = textwrap::Options::new(width)
        .initial_indent(first)
        .subsequent_indent(hanging)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(text, options)
}

fn verdict(diagnosis: &Diagnosis) -> String {
    match &diagnosis.warnings[..] {
        [] => "Fit for measuring.".to_owned(),
        [what] => format!("Usable, with a warning that matters for comparisons: {what}."),
        all => {
            let (count, all) = (all.len(), all.join(", "));
            format!("Usable, with {count} warnings that matter for comparisons: {all}.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_is_a_line_with_its_level_first_and_a_warning_says_what_to_do() {
        let diagnosis = Diagnosis::of(vec![
            Finding::ok("steal time", "0.0 %"),
            Finding::warn("governor", "powersave", "set another"),
        ]);
        let page = lay_out(&diagnosis, 80);
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(lines[0], "ok    steal time          0.0 %");
        assert_eq!(lines[1], "warn  governor            powersave");
        assert_eq!(lines[2], "      → set another");
        assert!(lines[4].ends_with("matters for comparisons: governor."), "{page}");
        assert!(!diagnosis.is_fit());
    }

    #[test]
    fn what_is_long_goes_on_below_itself_and_nothing_is_wider_than_the_terminal() {
        let long = "word ".repeat(40);
        let diagnosis = Diagnosis::of(vec![Finding::warn("governor", &*long, &*long)]);
        let page = lay_out(&diagnosis, 80);
        assert!(page.lines().all(|line| textwrap::core::display_width(line) <= 80), "{page}");
        assert_eq!(page.matches("word").count(), 80);
    }

    #[test]
    fn without_warnings_the_machine_is_fit() {
        let diagnosis = Diagnosis::of(vec![Finding::note("turbo", "on")]);
        assert!(diagnosis.is_fit() && lay_out(&diagnosis, 80).ends_with("Fit for measuring.\n"));
    }

    #[test]
    fn machines_get_the_same_findings_with_their_figures() {
        let finding = Finding::ok("steal time", "0.0 %").with("share", 0.0).with("none", f64::NAN);
        let json: serde_json::Value =
            serde_json::from_str(&Diagnosis::of(vec![finding]).json()).expect("json");
        assert_eq!(json["findings"][0]["figures"], serde_json::json!({ "share": 0.0 }));
        assert_eq!((&json["fit"], &json["findings"][0]["level"]), (&true.into(), &"ok".into()));
    }
}
