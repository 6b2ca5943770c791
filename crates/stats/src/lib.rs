//! Estimates, intervals, METG and scaling models
