//! Stacked horizontal bars: the phases of a whole cycle.

use plotters::{
    prelude::*,
    style::text_anchor::{HPos, VPos},
};

use super::{
    axis::Axis,
    canvas::{Area, Drawn, TEXT, WIDTH, document, text},
    palette::{BLUE, GREEN, INK, ORANGE, PURPLE},
};
use crate::format;

/// One bar for each configuration.
pub(super) struct Bars {
    pub(super) title: String,
    pub(super) bars: Vec<Bar>,
}

/// One configuration: its phases, or a note in their place.
pub(super) struct Bar {
    pub(super) label: String,
    /// Start-up, first task, run, shutdown.
    pub(super) parts_ns: [f64; 4],
    /// Stands at the bar's end.
    pub(super) note: String,
}

const PARTS: [(&str, RGBColor); 4] =
    [("start-up", BLUE), ("first task", ORANGE), ("run", GREEN), ("shutdown", PURPLE)];

const TITLE_HEIGHT: i32 = 66;
const BAR_PITCH: i32 = 26;
const BAR_HEIGHT: i32 = 16;
const AXIS_HEIGHT: i32 = 56;
const LEFT: i32 = 214;
/// Leaves room for the note of the longest bar.
const RIGHT: i32 = 120;

impl Bars {
    /// Draws the bars as an SVG document named `name`.
    pub(super) fn draw(&self, name: &str, description: &str) -> String {
        let height = TITLE_HEIGHT + BAR_PITCH * self.bars.len() as i32 + AXIS_HEIGHT;
        document(name, &self.title, description, height as u32, |area| {
            text(area, &self.title, (16, 20), TEXT + 2, (HPos::Left, VPos::Center))?;
            draw_legend(area)?;
            let longest = self.bars.iter().map(Bar::total_ns).fold(0.0, f64::max);
            let axis = Axis::from_zero("time of a whole cycle, medians", longest, format::time);
            self.draw_axis(area, &axis)?;
            self.bars.iter().enumerate().try_for_each(|(index, bar)| {
                let middle = TITLE_HEIGHT + BAR_PITCH * index as i32 + BAR_PITCH / 2;
                bar.draw(area, &axis, middle)
            })
        })
    }

    fn draw_axis(&self, area: &Area<'_>, axis: &Axis) -> Drawn {
        let bottom = TITLE_HEIGHT + BAR_PITCH * self.bars.len() as i32;
        for (tick, label) in &axis.ticks {
            let x = position(axis, *tick);
            let grid = INK.mix(0.14).stroke_width(1);
            area.draw(&PathElement::new(vec![(x, TITLE_HEIGHT), (x, bottom + 4)], grid))?;
            text(area, label, (x, bottom + 8), TEXT - 1, (HPos::Center, VPos::Top))?;
        }
        let middle = i32::midpoint(LEFT, WIDTH as i32 - RIGHT);
        text(area, &axis.title, (middle, bottom + 32), TEXT, (HPos::Center, VPos::Top))
    }
}

impl Bar {
    fn total_ns(&self) -> f64 {
        self.parts_ns.iter().sum()
    }

    fn draw(&self, area: &Area<'_>, axis: &Axis, middle: i32) -> Drawn {
        text(area, &self.label, (LEFT - 10, middle), TEXT - 1, (HPos::Right, VPos::Center))?;
        let (top, bottom) = (middle - BAR_HEIGHT / 2, middle + BAR_HEIGHT / 2);
        let mut done = 0.0;
        for (part, (_, color)) in self.parts_ns.iter().zip(PARTS) {
            let (from, to) = (position(axis, done), position(axis, done + part));
            done += part;
            if to > from {
                area.draw(&Rectangle::new([(from, top), (to, bottom)], color.filled()))?;
            }
        }
        let end = position(axis, self.total_ns());
        text(area, &self.note, (end + 8, middle), TEXT - 1, (HPos::Left, VPos::Center))
    }
}

fn position(axis: &Axis, value: f64) -> i32 {
    let span = f64::from(WIDTH as i32 - LEFT - RIGHT);
    LEFT + ((value - axis.low) / (axis.high - axis.low) * span).round() as i32
}

fn draw_legend(area: &Area<'_>) -> Drawn {
    for (index, (label, color)) in PARTS.iter().enumerate() {
        let x = LEFT + 130 * index as i32;
        area.draw(&Rectangle::new([(x, 38), (x + 14, 52)], color.filled()))?;
        text(area, label, (x + 22, 45), TEXT - 1, (HPos::Left, VPos::Center))?;
    }
    Ok(())
}
