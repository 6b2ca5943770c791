//! Who the pools are held against.

mod asked;
pub(crate) mod bare_pipe;
pub(crate) mod channels;
pub(crate) mod hand_over;
pub(crate) mod intrinsics;
pub(crate) mod join_tree;
pub(crate) mod python;
pub(crate) mod rayon;
pub(crate) mod sampler;
pub(crate) mod scoped;
