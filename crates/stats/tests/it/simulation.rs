//! Made-up duels with a known ratio of the contestants' times.

use std::f64::consts::TAU;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Head time ÷ base time in every simulation.
pub(crate) const TRUTH: f64 = 1.05;

/// What the logarithm of a time scatters like.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Noise {
    Normal,
    /// Student's t with two degrees of freedom: no variance exists.
    TwoDegrees,
    /// Student's t with three degrees of freedom.
    ThreeDegrees,
    /// Normal, and one value in twenty three times as far out.
    Contaminated,
    /// Normal, on a machine whose speed wanders, also within a round.
    Drifting,
}

impl Noise {
    pub(crate) const ALL: [Self; 5] =
        [Self::Normal, Self::TwoDegrees, Self::ThreeDegrees, Self::Contaminated, Self::Drifting];
}

/// One cell of a duel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) noise: Noise,
    pub(crate) incarnations: usize,
    pub(crate) rounds: usize,
    /// Standard deviation of an incarnation's luck; that of normal noise of
    /// one time is 1.
    pub(crate) luck: f64,
}

/// How far a noise of 1 moves the logarithm of a time: 2 %.
const SCALE: f64 = 0.02;

impl Cell {
    /// Logarithms of in-round ratios, one group an incarnation.
    pub(crate) fn log_ratios(self, rng: &mut Pcg64Mcg) -> Vec<Vec<f64>> {
        let mut machine = 0.0;
        let incarnation = |_| {
            let luck = self.luck * normal(rng);
            let round = |round: usize| {
                let mut times = [0.0, luck + TRUTH.ln() / SCALE];
                // Who comes first alternates, as in a balanced order.
                for contestant in [round % 2, 1 - round % 2] {
                    if matches!(self.noise, Noise::Drifting) {
                        machine += 0.5 * normal(rng);
                    }
                    times[contestant] += machine + self.noise.draw(rng);
                }
                SCALE * (times[1] - times[0])
            };
            (0..self.rounds).map(round).collect()
        };
        (0..self.incarnations).map(incarnation).collect()
    }

    /// Share of `trials` in which `interval` of the ratio contains the truth,
    /// and the intervals' median width in percent.
    pub(crate) fn coverage(
        self,
        trials: u64,
        interval: impl Fn(&[Vec<f64>], u64) -> Option<(f64, f64)>,
    ) -> (f64, f64) {
        let mut rng = Pcg64Mcg::seed_from_u64(2_013);
        let mut hits = 0;
        let mut widths = Vec::new();
        for trial in 0..trials {
            let (low, high) = interval(&self.log_ratios(&mut rng), trial).unwrap();
            hits += u64::from((low..=high).contains(&TRUTH));
            widths.push(100.0 * (high - low));
        }
        (hits as f64 / trials as f64, stats::median(&widths).unwrap())
    }
}

impl Noise {
    /// A number that scatters so, about 0.
    pub(crate) fn draw(self, rng: &mut Pcg64Mcg) -> f64 {
        match self {
            Self::Normal | Self::Drifting => normal(rng),
            Self::TwoDegrees => student(2, rng),
            Self::ThreeDegrees => student(3, rng),
            Self::Contaminated => normal(rng) * if rng.random_bool(0.05) { 3.0 } else { 1.0 },
        }
    }
}

/// A standard normal number: Box and Muller, 1958.
fn normal(rng: &mut Pcg64Mcg) -> f64 {
    let (radius, angle): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()
}

/// Student's t: a normal number over the root of a mean of squares of others.
fn student(degrees: u32, rng: &mut Pcg64Mcg) -> f64 {
    let squares: f64 = (0..degrees).map(|_| normal(rng).powi(2)).sum();
    normal(rng) / (squares / f64::from(degrees)).sqrt()
}
