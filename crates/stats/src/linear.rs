//! Small systems of linear equations.

/// Solves `matrix` · x = `right` by elimination with the largest pivot; `None`
/// if the equations do not tell x. Coefficients ought to be about as large as
/// each other.
pub(crate) fn solve<const N: usize>(
    mut matrix: [[f64; N]; N],
    mut right: [f64; N],
) -> Option<[f64; N]> {
    for column in 0..N {
        let pivot = (column..N)
            .max_by(|&a, &b| matrix[a][column].abs().total_cmp(&matrix[b][column].abs()))?;
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        let (pivot_row, pivot_right) = (matrix[column], right[column]);
        if pivot_row[column].abs() < 1e-12 {
            return None;
        }
        for row in (0..N).filter(|&row| row != column) {
            let factor = matrix[row][column] / pivot_row[column];
            right[row] -= factor * pivot_right;
            for (cell, &above) in matrix[row].iter_mut().zip(&pivot_row) {
                *cell -= factor * above;
            }
        }
    }
    Some(std::array::from_fn(|i| right[i] / matrix[i][i]))
}

#[cfg(test)]
mod tests {
    use super::solve;

    #[test]
    fn equations_in_an_awkward_order_are_solved() {
        let matrix = [[0.0, 2.0, 1.0], [1.0, 0.0, 0.0], [1.0, 1.0, -1.0]];
        let found = solve(matrix, [7.0, 1.0, 0.0]).unwrap();
        for (found, expected) in found.into_iter().zip([1.0, 2.0, 3.0]) {
            assert!((found - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn equations_that_say_the_same_twice_are_not() {
        assert_eq!(solve([[1.0, 2.0], [2.0, 4.0]], [1.0, 2.0]), None);
    }
}
