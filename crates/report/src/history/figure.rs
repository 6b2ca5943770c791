//! A cell's trend as SVG: speed-ups with their intervals and changes, and the
//! times, which are weak, in a strip below.

use maud::{Markup, html};

use super::{CellTrend, Trend, TrendPoint, drawing::number};
use crate::format;

const WIDTH: f64 = 430.0;
const HEIGHT: f64 = 212.0;
/// Where the points are, beside the labels.
const LEFT: f64 = 58.0;
const RIGHT: f64 = WIDTH - 12.0;
/// Of the speed-ups, then of the times.
const SPEED_UPS: (f64, f64) = (36.0, 132.0);
const TIMES: (f64, f64) = (152.0, 180.0);

/// Values along a vertical stretch of the drawing.
struct Scale {
    low: f64,
    high: f64,
    top: f64,
    bottom: f64,
}

impl Scale {
    /// Around `values`, at least a tenth of the largest from end to end, so that
    /// a level line looks level.
    fn around(values: impl Iterator<Item = f64>, (top, bottom): (f64, f64)) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        let missing = (0.1 * high - (high - low)).max(0.0);
        Self { low: low - missing / 2.0, high: high + missing / 2.0, top, bottom }
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low).max(f64::MIN_POSITIVE);
        self.bottom - share.clamp(0.0, 1.0) * (self.bottom - self.top)
    }
}

/// The drawing, which takes its colours from the page.
pub(super) fn draw(trend: &Trend, cell: &CellTrend) -> Markup {
    let speed_ups = Scale::around(
        cell.points.iter().flat_map(|point| {
            let (low, high) = point.speed_up.interval().unwrap_or((f64::NAN, f64::NAN));
            [point.speed_up.value, low, high]
        }),
        SPEED_UPS,
    );
    let times = Scale::around(cell.points.iter().map(|point| point.time_ns), TIMES);
    let x = |run: f64| {
        let share = (run + 0.5) / trend.runs.len() as f64;
        LEFT + share * (RIGHT - LEFT)
    };
    html! {
        svg.trend role="img" viewBox=(format!("0 0 {WIDTH} {HEIGHT}"))
            xmlns="http://www.w3.org/2000/svg" aria-label=(in_words(trend, cell)) {
            text.name x="4" y="16" { (cell.name.configuration) }
            (frame(&speed_ups, format::ratio))
            (frame(&times, format::time))
            @for change in &cell.changes {
                (mark(trend, change.run, x(change.run as f64 - 0.5)))
            }
            @for (from, to) in stretches(cell) {
                (level(&cell.points[from..to], &speed_ups, &x))
            }
            @for point in &cell.points {
                (dot(trend, point, &speed_ups, &x))
            }
            polyline.time points=(path(&cell.points, &times, &x)) {}
            text.end x=(LEFT) y=(HEIGHT - 6.0) { (date(trend, 0)) }
            text.end.last x=(RIGHT) y=(HEIGHT - 6.0) { (date(trend, trend.runs.len() - 1)) }
            text.end.weak x=(LEFT + 2.0) y=(TIMES.0 - 4.0) { "time, weak" }
        }
    }
}

/// The ends of a scale and their values.
fn frame(scale: &Scale, show: impl Fn(f64) -> String) -> Markup {
    html! {
        @for (value, y) in [(scale.high, scale.top), (scale.low, scale.bottom)] {
            line.frame x1=(LEFT) x2=(RIGHT) y1=(y) y2=(y) {}
            text.tick x=(LEFT - 4.0) y=(y + 4.0) { (show(value)) }
        }
    }
}

fn mark(trend: &Trend, run: usize, x: f64) -> Markup {
    // Kept within the drawing at either end.
    let label = x.clamp(LEFT + 40.0, RIGHT - 40.0);
    html! {
        line.change x1=(one(x)) x2=(one(x)) y1=(SPEED_UPS.0) y2=(TIMES.1) {}
        text.date x=(one(label)) y=(SPEED_UPS.0 - 6.0) { (number(run)) " " (date(trend, run)) }
    }
}

/// The median between two changes.
fn level(points: &[TrendPoint], scale: &Scale, x: &impl Fn(f64) -> f64) -> Markup {
    let values: Vec<f64> = points.iter().map(|point| point.speed_up.value).collect();
    html! {
        @if let (Some(level), [first, .., last]) = (stats::median(&values), points) {
            line.level x1=(one(x(first.run as f64 - 0.4))) x2=(one(x(last.run as f64 + 0.4)))
                y1=(one(scale.y(level))) y2=(one(scale.y(level))) {}
        }
    }
}

fn dot(trend: &Trend, point: &TrendPoint, scale: &Scale, x: &impl Fn(f64) -> f64) -> Markup {
    let x = one(x(point.run as f64));
    let run = &trend.runs[point.run];
    html! {
        g {
            title {
                (number(point.run)) " " (run.started) ": " (format::ratio_estimate(&point.speed_up))
                ", " (format::time(point.time_ns))
            }
            @if let Some((low, high)) = point.speed_up.interval() {
                line.interval x1=(x) x2=(x) y1=(one(scale.y(low))) y2=(one(scale.y(high))) {}
            }
            circle cx=(x) cy=(one(scale.y(point.speed_up.value))) r="3" {}
        }
    }
}

fn path(points: &[TrendPoint], scale: &Scale, x: &impl Fn(f64) -> f64) -> String {
    let at = |point: &TrendPoint| {
        format!("{},{}", one(x(point.run as f64)), one(scale.y(point.time_ns)))
    };
    points.iter().map(at).collect::<Vec<_>>().join(" ")
}

/// Ranges of points between changes.
fn stretches(cell: &CellTrend) -> Vec<(usize, usize)> {
    let at = |run: usize| cell.points.partition_point(|point| point.run < run);
    let cuts: Vec<usize> = cell.changes.iter().map(|change| at(change.run)).collect();
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    starts.zip(cuts.iter().copied().chain([cell.points.len()])).collect()
}

/// `2026-11-21`.
fn date(trend: &Trend, run: usize) -> &str {
    trend.runs[run].started.split(' ').next().unwrap_or_default()
}

/// One decimal is finer than any screen.
fn one(coordinate: f64) -> String {
    format!("{coordinate:.1}")
}

/// For those who do not see it.
fn in_words(trend: &Trend, cell: &CellTrend) -> String {
    let mut words = format!("Speed-up of {}", cell.name.configuration);
    if let [first, .., last] = &cell.points[..] {
        let [first, last] = [first, last].map(|point| format::ratio(point.speed_up.value));
        words += &format!(", from {first} to {last} in {} runs", cell.points.len());
    }
    for change in &cell.changes {
        let ratio = format::ratio_estimate(&change.speed_up_ratio);
        words +=
            &format!("; {ratio} from run {} of {} on", change.run + 1, date(trend, change.run));
    }
    words
}
