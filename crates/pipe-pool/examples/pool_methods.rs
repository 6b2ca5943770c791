//! Four ways to call a function in the processes of a pool: `apply` and `map`
//! wait for the result, `apply_async` and `map_async` return at once.
//!
//! In Python:
//!
//! ```python
//! pool.apply(square, (3,)), pool.map(square, range(1, 7))
//! pool.apply_async(square, (3,)).get(), pool.map_async(square, range(1, 7)).get()
//! ```

use pipe_pool::{Pool, Result};

fn square(x: u64) -> u64 {
    x * x
}

fn cube(x: u64) -> u64 {
    x * x * x
}

fn main() -> Result<()> {
    pipe_pool::init(); // child processes start here and never return
    let pool = Pool::builder().workers(4).build()?;

    // One call after the other.
    let squares = (1..=6).map(|x| pool.apply(square, x)).collect::<Result<Vec<_>>>()?;
    let cubes = (1..=6).map(|x| pool.apply(cube, x)).collect::<Result<Vec<_>>>()?;
    println!("apply        squares {squares:?}  cubes {cubes:?}");

    // All calls at once, results in order.
    let squares = pool.map(square, 1..=6)?;
    let cubes = pool.map(cube, 1..=6)?;
    println!("map          squares {squares:?}  cubes {cubes:?}");

    // Every call begins; then each result is waited for.
    let squares: Vec<_> = (1..=6).map(|x| pool.apply_async(square, x)).collect();
    let cubes: Vec<_> = (1..=6).map(|x| pool.apply_async(cube, x)).collect();
    let squares = squares.into_iter().map(|result| result.get()).collect::<Result<Vec<_>>>()?;
    let cubes = cubes.into_iter().map(|result| result.get()).collect::<Result<Vec<_>>>()?;
    println!("apply_async  squares {squares:?}  cubes {cubes:?}");

    // Both maps are on their way before the first is waited for.
    let squares = pool.map_async(square, 1..=6);
    let cubes = pool.map_async(cube, 1..=6);
    println!("map_async    squares {:?}  cubes {:?}", squares.get()?, cubes.get()?);

    pool.shutdown()
}
