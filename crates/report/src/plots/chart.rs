//! Lines with markers and error bars over two axes, the legend below.

use plotters::{
    prelude::*,
    style::text_anchor::{HPos, VPos},
};

use super::{
    axis::Axis,
    canvas::{Area, Drawn, TEXT, WIDTH, document, line, marker, text},
    palette::{INK, Look},
};

/// Everything that a chart shows.
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
    pub(super) guide: Option<Guide>,
    /// Shades x from here to the end of the axis, with a label.
    pub(super) shaded_from: Option<(f64, String)>,
}

/// The points of one strategy, in the order in which a line joins them.
pub(super) struct Series {
    pub(super) label: String,
    pub(super) look: Look,
    pub(super) points: Vec<Point>,
    /// Points that nobody measured: joined by a thin dashed line, which has a gap
    /// where there is none, and marked by a small dot.
    pub(super) predicted: Vec<Option<Point>>,
}

/// One point, in the coordinates of the axes.
#[derive(Clone, Copy)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    /// Ends of the interval of y.
    pub(super) interval: Option<(f64, f64)>,
}

/// A thin line that says what would be ideal or enough.
pub(super) struct Guide {
    pub(super) points: Vec<(f64, f64)>,
    pub(super) label: String,
}

impl Series {
    /// Those that were measured, and those that were not.
    pub(super) fn all_points(&self) -> impl Iterator<Item = &Point> {
        self.points.iter().chain(self.predicted.iter().flatten())
    }
}

const TITLE_HEIGHT: u32 = 36;
const PLOT_HEIGHT: u32 = 400;
const LEGEND_COLUMNS: usize = 3;
const LEGEND_ROW: u32 = 24;

impl Chart {
    /// Draws the chart as an SVG document named `name`.
    pub(super) fn draw(&self, name: &str, description: &str) -> String {
        let rows = self.series.len().div_ceil(LEGEND_COLUMNS) as u32;
        let height = TITLE_HEIGHT + PLOT_HEIGHT + rows * LEGEND_ROW + 12;
        document(name, &self.title, description, height, |area| {
            text(area, &self.title, (16, 20), TEXT + 2, (HPos::Left, VPos::Center))?;
            self.guide.iter().try_for_each(|guide| name_guide(area, guide))?;
            self.draw_plot(area)?;
            self.draw_legend(area)
        })
    }

    fn draw_plot(&self, area: &Area<'_>) -> Drawn {
        let (_, height) = area.dim_in_pixel();
        let below = height - TITLE_HEIGHT - PLOT_HEIGHT;
        let mut chart = ChartBuilder::on(area)
            .margin_top(TITLE_HEIGHT)
            .margin_bottom(below)
            .margin_right(24)
            .margin_left(8)
            .x_label_area_size(52)
            .y_label_area_size(78)
            .build_cartesian_2d(&self.x, &self.y)?;
        let label_style = TextStyle::from(("sans-serif", TEXT)).color(&INK);
        chart
            .configure_mesh()
            .bold_line_style(INK.mix(0.14))
            .light_line_style(TRANSPARENT)
            .axis_style(INK.mix(0.6))
            .label_style(label_style.clone())
            .axis_desc_style(label_style)
            .x_desc(self.x.title.as_str())
            .y_desc(self.y.title.as_str())
            .draw()?;
        // From here on in units of the SVG: markers and dashes keep their
        // size whatever the axes are.
        let at = |x: f64, y: f64| {
            chart.backend_coord(&(
                x.clamp(self.x.low, self.x.high),
                y.clamp(self.y.low, self.y.high),
            ))
        };
        self.draw_shade(area, &at)?;
        self.guide.iter().try_for_each(|guide| draw_guide(area, guide, &at))?;
        self.series.iter().try_for_each(|series| draw_series(area, series, &at))
    }

    fn draw_shade(&self, area: &Area<'_>, at: &impl Fn(f64, f64) -> (i32, i32)) -> Drawn {
        let Some((from, label)) = &self.shaded_from else { return Ok(()) };
        let (top, bottom) = (at(*from, self.y.high), at(self.x.high, self.y.low));
        area.draw(&Rectangle::new([top, bottom], INK.mix(0.08).filled()))?;
        let middle = i32::midpoint(top.0, bottom.0);
        text(area, label, (middle, top.1 + 8), TEXT - 2, (HPos::Center, VPos::Top))
    }

    fn draw_legend(&self, area: &Area<'_>) -> Drawn {
        let column_width = (WIDTH as i32 - 40) / LEGEND_COLUMNS as i32;
        let rows = self.series.len().div_ceil(LEGEND_COLUMNS);
        let top = (TITLE_HEIGHT + PLOT_HEIGHT + LEGEND_ROW / 2) as i32;
        for (index, series) in self.series.iter().enumerate() {
            // Column by column, so that the siblings of a pool stand together.
            let x = 40 + (index / rows) as i32 * column_width;
            let y = top + (index % rows) as i32 * LEGEND_ROW as i32;
            let style = series.look.color.stroke_width(2);
            line(area, vec![(x - 16, y), (x + 16, y)], style, series.look.dashed)?;
            marker(area, series.look.marker, (x, y), series.look.color)?;
            text(area, &series.label, (x + 26, y), TEXT, (HPos::Left, VPos::Center))?;
        }
        Ok(())
    }
}

fn draw_guide(area: &Area<'_>, guide: &Guide, at: &impl Fn(f64, f64) -> (i32, i32)) -> Drawn {
    let points = guide.points.iter().map(|&(x, y)| at(x, y)).collect();
    line(area, points, INK.mix(0.7).stroke_width(1), true)
}

/// Names a guide at the right of the title, where it cannot cover points.
fn name_guide(area: &Area<'_>, guide: &Guide) -> Drawn {
    let right = WIDTH as i32 - 24;
    text(area, &guide.label, (right, 20), TEXT, (HPos::Right, VPos::Center))?;
    // Wide enough for the longest label that a guide has.
    let sample = vec![(right - 100, 20), (right - 60, 20)];
    line(area, sample, INK.mix(0.7).stroke_width(1), true)
}

fn draw_series(area: &Area<'_>, series: &Series, at: &impl Fn(f64, f64) -> (i32, i32)) -> Drawn {
    /// Half the width of an error bar's ends.
    const CAP: i32 = 4;
    let look = series.look;
    let path: Vec<(i32, i32)> = series.points.iter().map(|point| at(point.x, point.y)).collect();
    if path.len() > 1 {
        line(area, path.clone(), look.color.stroke_width(2), look.dashed)?;
    }
    for stretch in series.predicted.split(Option::is_none) {
        let path: Vec<(i32, i32)> =
            stretch.iter().flatten().map(|point| at(point.x, point.y)).collect();
        if path.len() > 1 {
            line(area, path.clone(), look.color.stroke_width(1), true)?;
        }
        for at in path {
            area.draw(&Circle::new(at, 2, look.color.filled()))?;
        }
    }
    for point in series.all_points() {
        if let Some((low, high)) = point.interval {
            let ((x, bottom), (_, top)) = (at(point.x, low), at(point.x, high));
            let stroke = look.color.stroke_width(1);
            area.draw(&PathElement::new(vec![(x, bottom), (x, top)], stroke))?;
            for end in [bottom, top] {
                area.draw(&PathElement::new(vec![(x - CAP, end), (x + CAP, end)], stroke))?;
            }
        }
    }
    path.into_iter().try_for_each(|at| marker(area, look.marker, at, look.color))
}
