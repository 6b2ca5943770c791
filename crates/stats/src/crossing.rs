//! Where a measured curve crosses a threshold for good.

/// Where a curve rises to a threshold and stays at or above it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Crossing {
    /// Between two points; interpolated.
    At(f64),
    /// Even the first point is above.
    BelowAll,
    /// Not even the last point is above.
    AboveAll,
}

/// The last crossing of `threshold` by `points`, `(x, y)` with positive x, in
/// their order: from there on, every point is at or above it. x mostly ascends
/// but need not.
///
/// Interpolates y linearly over ln x, since sizes are spread evenly on a
/// logarithmic scale. `None` without points.
pub(crate) fn last_crossing(points: &[(f64, f64)], threshold: f64) -> Option<Crossing> {
    if points.is_empty() {
        return None;
    }
    let Some(below) = points.iter().rposition(|&(_, y)| y < threshold) else {
        return Some(Crossing::BelowAll);
    };
    let Some(&(x1, y1)) = points.get(below + 1) else {
        return Some(Crossing::AboveAll);
    };
    let (x0, y0) = points[below];
    let share = (threshold - y0) / (y1 - y0);
    Some(Crossing::At((x0.ln() + share * (x1.ln() - x0.ln())).exp()))
}

impl Crossing {
    /// The crossing itself, or `None` beyond what was measured.
    pub(crate) fn at(self) -> Option<f64> {
        match self {
            Self::At(x) => Some(x),
            Self::BelowAll | Self::AboveAll => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crossing_is_interpolated_on_a_logarithmic_scale() {
        let crossing = last_crossing(&[(10.0, 0.0), (1000.0, 1.0)], 0.5).unwrap();
        assert!((crossing.at().unwrap() - 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_curve_that_falls_back_counts_from_its_last_rise() {
        let points = [(1.0, 2.0), (10.0, 0.0), (100.0, 2.0)];
        let crossing = last_crossing(&points, 1.0).unwrap().at().unwrap();
        assert!((10.0..100.0).contains(&crossing));
    }

    #[test]
    fn a_curve_on_one_side_has_no_crossing() {
        assert_eq!(last_crossing(&[(1.0, 2.0)], 1.0), Some(Crossing::BelowAll));
        assert_eq!(last_crossing(&[(1.0, 2.0), (2.0, 0.5)], 1.0), Some(Crossing::AboveAll));
        assert_eq!(last_crossing(&[], 1.0), None);
    }
}
