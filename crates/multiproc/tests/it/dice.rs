//! Chance, the same in every run.

/// Numbers without a pattern.
pub(crate) struct Dice(u64);

impl Dice {
    /// What follows from `seed`, which must not be 0.
    pub(crate) fn new(seed: u64) -> Self {
        assert_ne!(seed, 0, "0 follows upon 0");
        Self(seed)
    }

    /// 64 bits, not all of them 0.
    pub(crate) fn roll(&mut self) -> u64 {
        // Marsaglia, "Xorshift RNGs", 2003.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }
}
