//! One colour, marker and dash for each strategy, the same in every plot.
//!
//! The colours are those of Okabe and Ito, "Color Universal Design", 2008,
//! which stay apart for every common kind of colour blindness; without
//! yellow, which is too faint on white, and with the page's ink for black.
//! Seven colours do not do for nine strategies, so the two that execute the
//! binary afresh share a colour with their sibling that forks, and differ
//! from it in marker and dash.

use harness::{StartMethod, Strategy};
use plotters::style::RGBColor;

/// Stands for the text colour of the page: `canvas` replaces it.
pub(super) const INK: RGBColor = RGBColor(1, 2, 3);

pub(super) const VERMILLION: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
pub(super) const ORANGE: RGBColor = RGBColor(0xE6, 0x9F, 0x00);
pub(super) const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xB2);
pub(super) const SKY: RGBColor = RGBColor(0x56, 0xB4, 0xE9);
pub(super) const GREEN: RGBColor = RGBColor(0x00, 0x9E, 0x73);
pub(super) const PURPLE: RGBColor = RGBColor(0xCC, 0x79, 0xA7);

/// The shape of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    Cross,
    Disc,
    Ring,
    Diamond,
    TriangleUp,
    TriangleOutline,
    TriangleDown,
    Square,
    SquareOutline,
    DiamondOutline,
}

/// How a strategy looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) color: RGBColor,
    pub(super) marker: Marker,
    pub(super) dashed: bool,
}

/// The look of `strategy`. Runners that a config adds get one by their name,
/// so that it does not depend on who else is measured.
pub(super) fn look(strategy: &Strategy) -> Look {
    let solid = |color, marker| Look { color, marker, dashed: false };
    let dashed = |color, marker| Look { color, marker, dashed: true };
    match (strategy.backend.as_str(), strategy.start_method) {
        ("serial", _) => solid(INK, Marker::Cross),
        ("threads", _) => solid(PURPLE, Marker::Disc),
        ("threads-scoped", _) => dashed(PURPLE, Marker::Ring),
        ("rayon", _) => solid(GREEN, Marker::Diamond),
        ("pipe-pool", Some(StartMethod::ForkServer)) => solid(ORANGE, Marker::TriangleOutline),
        ("pipe-pool", Some(StartMethod::Spawn)) => dashed(VERMILLION, Marker::TriangleDown),
        ("pipe-pool", _) => solid(VERMILLION, Marker::TriangleUp),
        ("shm-pool", Some(StartMethod::ForkServer)) => solid(SKY, Marker::SquareOutline),
        ("shm-pool", Some(StartMethod::Spawn)) => dashed(BLUE, Marker::DiamondOutline),
        ("shm-pool", _) => solid(BLUE, Marker::Square),
        (name, _) => {
            let others = [PURPLE, GREEN, ORANGE, SKY, INK];
            let sum: usize = name.bytes().map(usize::from).sum();
            dashed(others[sum % others.len()], Marker::Ring)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_of_the_nine_strategies_look_alike() {
        let mut strategies: Vec<Strategy> =
            ["serial", "threads", "rayon"].map(Strategy::named).to_vec();
        for backend in ["pipe-pool", "shm-pool"] {
            strategies.extend(StartMethod::ALL.map(|method| Strategy {
                backend: backend.to_owned(),
                start_method: Some(method),
            }));
        }
        let looks: Vec<Look> = strategies.iter().map(look).collect();
        for (index, look) in looks.iter().enumerate() {
            let same = |other: &&Look| other.marker == look.marker;
            assert_eq!(looks.iter().filter(same).count(), 1, "{}", strategies[index]);
        }
    }
}
