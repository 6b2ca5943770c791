//! Figures as people read them: three significant digits and a unit.

use stats::Estimate;

use crate::model::DriverShare;

/// Stands where there is nothing to print; never for a failure.
pub(crate) const NONE: &str = "–";

/// A time: `1.23 µs`.
pub(crate) fn time(ns: f64) -> String {
    scaled(ns, &[(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")])
}

/// A label without the decimals that a round number does not need: `10 µs`.
pub(crate) fn round_label(label: &str) -> String {
    let (number, unit) = label.split_once('\u{a0}').unwrap_or((label, ""));
    let number = if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    };
    if unit.is_empty() { number.to_owned() } else { format!("{number}\u{a0}{unit}") }
}

/// A size in binary units: `256 KiB`. Arrays come in powers of two.
pub(crate) fn bytes(bytes: f64) -> String {
    const KIB: f64 = 1024.0;
    let units = [(KIB * KIB * KIB, "GiB"), (KIB * KIB, "MiB"), (KIB, "KiB"), (1.0, "B")];
    scaled(bytes, &units)
}

/// A bandwidth in decimal units, as memory makers count: `12.3 GB/s`.
pub(crate) fn bandwidth(bytes_per_s: f64) -> String {
    scaled(bytes_per_s, &[(1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1.0, "B/s")])
}

/// A rate of anything: `12.3 M/s`.
pub(crate) fn rate(per_s: f64) -> String {
    scaled(per_s, &[(1e9, "G/s"), (1e6, "M/s"), (1e3, "k/s"), (1.0, "/s")])
}

/// A whole number with thin groups: `1 000 000`.
pub(crate) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            // A no-break space: a number must not be torn at a line's end.
            grouped.push('\u{a0}');
        }
        grouped.push(digit);
    }
    grouped
}

/// A mean number of events, which may well be below one: `0.25`, `17`, `12 345`.
pub(crate) fn mean_count(number: f64) -> String {
    if number >= 1_000.0 { count(number.round() as usize) } else { significant(number) }
}

/// A ratio: `1.96×`.
pub(crate) fn ratio(ratio: f64) -> String {
    format!("{}×", two_decimals(ratio))
}

/// A size in binary units with its interval: `256 KiB (240–270 KiB)`.
pub(crate) fn bytes_estimate(estimate: &Estimate) -> String {
    with_interval(estimate, bytes, bytes)
}

/// A ratio with its interval: `1.96× (1.93–1.98)`.
pub(crate) fn ratio_estimate(estimate: &Estimate) -> String {
    with_interval(estimate, ratio, two_decimals)
}

/// A share: `98 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent.abs() < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// What the driver itself cost: `used 0.3 % of a core …`.
pub(crate) fn driver_share(share: &DriverShare) -> String {
    format!(
        "used at most {} of a core while runners were timed, falling asleep and being \
         woken included; {} of the rounds\u{2019} time lay between requests",
        percent(share.of_a_core_while_timed),
        percent(share.between_requests)
    )
}

/// A time with its interval: `1.23 µs (1.20–1.25 µs)`.
pub(crate) fn time_estimate(estimate: &Estimate) -> String {
    with_interval(estimate, time, time)
}

/// A small number with its interval, for tables: `0.031 (0.020–0.040)`, or
/// `0.031 (too few)`.
pub(crate) fn number_estimate(estimate: &Estimate) -> String {
    let three_decimals = |value: f64| format!("{:.3}", value + 0.0);
    format!("{} ({})", three_decimals(estimate.value), interval(estimate, three_decimals))
}

/// Both ends of a median's interval, `1.93–1.98`; without them there were too
/// few values.
pub(crate) fn interval(estimate: &Estimate, show: impl Fn(f64) -> String) -> String {
    ends(estimate, show).unwrap_or_else(|| "too few".to_owned())
}

/// Both ends of the interval of a size at which something begins; an end
/// beyond the sizes measured is open: `≥ 130 ns`, and `–` if both are.
pub(crate) fn interval_of_size(estimate: &Estimate, show: impl Fn(f64) -> String) -> String {
    ends(estimate, show).unwrap_or_else(|| NONE.to_owned())
}

fn ends(estimate: &Estimate, show: impl Fn(f64) -> String) -> Option<String> {
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => Some(range(&show(low), &show(high))),
        (Some(low), None) => Some(format!("≥\u{a0}{}", show(low))),
        (None, Some(high)) => Some(format!("≤\u{a0}{}", show(high))),
        (None, None) => None,
    }
}

/// `1.93–1.98`; a unit that both ends share is printed once: `140–143 ns`.
pub(crate) fn range(low: &str, high: &str) -> String {
    match (low.split_once('\u{a0}'), high.split_once('\u{a0}')) {
        (Some((low, unit)), Some((_, same))) if unit == same => format!("{low}–{high}"),
        _ => format!("{low}–{high}"),
    }
}

/// A ratio's digits: two decimals, three below a tenth.
pub(crate) fn two_decimals(value: f64) -> String {
    let size = value.abs();
    if size >= 99.95 {
        format!("{value:.0}")
    } else if size < 0.0995 {
        format!("{value:.3}")
    } else {
        format!("{value:.2}")
    }
}

/// For sentences: a figure without an interval stands alone.
fn with_interval(
    estimate: &Estimate,
    value: impl Fn(f64) -> String,
    end: impl Fn(f64) -> String,
) -> String {
    let value = value(estimate.value);
    match ends(estimate, end) {
        Some(ends) => format!("{value} ({ends})"),
        None => value,
    }
}

/// `value` in the largest of `units` (factor, name; descending) that leaves
/// at least one, the smallest otherwise.
fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    // Rounding must not print 1000 of a unit where the next one has a name.
    let fits = |factor: f64| value.abs() / factor >= 0.9995;
    let (factor, unit) = units
        .iter()
        .find(|(factor, _)| fits(*factor))
        .or(units.last())
        .copied()
        .unwrap_or((1.0, ""));
    format!("{}\u{a0}{unit}", significant(value / factor))
}

/// Three significant digits, without an exponent.
fn significant(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.9995 => format!("{value:.2}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: String) -> String {
        text.replace('\u{a0}', " ")
    }

    #[test]
    fn times_have_three_digits_and_the_unit_that_fits() {
        let cases = [
            (0.0, "0 ns"),
            (1.0, "1.00 ns"),
            (12.34, "12.3 ns"),
            (999.4, "999 ns"),
            (999.7, "1.00 µs"),
            (45_600.0, "45.6 µs"),
            (7.89e6, "7.89 ms"),
            (1.5e9, "1.50 s"),
            (3.6e12, "3600 s"),
        ];
        for (ns, expected) in cases {
            assert_eq!(plain(time(ns)), expected);
        }
    }

    #[test]
    fn array_sizes_are_binary_and_bandwidths_decimal() {
        assert_eq!(plain(bytes(1024.0)), "1.00 KiB");
        assert_eq!(plain(bytes(268_435_456.0)), "256 MiB");
        assert_eq!(plain(bandwidth(26.3e9)), "26.3 GB/s");
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(plain(count(0)), "0");
        assert_eq!(plain(count(1_000)), "1 000");
        assert_eq!(plain(count(12_345_678)), "12 345 678");
    }

    #[test]
    fn an_interval_names_a_shared_unit_once() {
        let estimate = Estimate::with_interval(1.2e3, 1.1e3, 1.3e3);
        assert_eq!(plain(time_estimate(&estimate)), "1.20 µs (1.10–1.30 µs)");
        let estimate = Estimate::with_interval(1e3, 0.9e3, 1.3e3);
        assert_eq!(plain(time_estimate(&estimate)), "1.00 µs (900 ns–1.30 µs)");
    }

    #[test]
    fn sentences_show_an_interval_only_where_there_is_one() {
        assert_eq!(ratio_estimate(&Estimate::with_interval(1.96, 1.93, 1.98)), "1.96× (1.93–1.98)");
        assert_eq!(ratio_estimate(&Estimate::without_interval(0.05)), "0.050×");
        let open = Estimate { low: None, ..Estimate::with_interval(2.0, 1.0, 3.0) };
        assert_eq!(plain(ratio_estimate(&open)), "2.00× (≤ 3.00)");
    }

    #[test]
    fn tables_tell_too_few_values_from_an_end_beyond_those_measured() {
        let none = Estimate::without_interval(50.0);
        assert_eq!(interval(&none, time), "too few");
        assert_eq!(interval_of_size(&none, time), NONE);
        let open = Estimate { high: None, ..Estimate::with_interval(150.0, 130.0, 200.0) };
        assert_eq!(plain(interval_of_size(&open, time)), "≥ 130 ns");
    }
}
