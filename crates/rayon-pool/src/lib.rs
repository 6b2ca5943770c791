//! The rayon strategy
