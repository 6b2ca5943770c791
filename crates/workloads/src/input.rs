//! The input: an arithmetic progression modulo 2⁶⁴, cheap to write and with
//! a closed form for everything that is computed from it.

/// x(i) = `first` + i · `step`, modulo 2⁶⁴.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progression {
    pub(crate) first: u64,
    pub(crate) step: u64,
}

/// 2⁶⁴ divided by the golden ratio, made odd: consecutive elements use all 64
/// bits and no two elements of an array are equal.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Progression {
    pub(crate) fn new(nonce: u64) -> Self {
        Self { first: mix(nonce), step: STEP }
    }

    pub(crate) fn constant(value: u64) -> Self {
        Self { first: value, step: 0 }
    }

    pub(crate) fn write(self, part: &mut [u64], first_index: usize) {
        let base = self.first.wrapping_add(self.step.wrapping_mul(first_index as u64));
        for (i, x) in part.iter_mut().enumerate() {
            *x = base.wrapping_add(self.step.wrapping_mul(i as u64));
        }
    }
}

/// What a result slot holds before the run.
///
/// The top bit is set, which Σ i² leaves clear for every n below 3 · 10⁶; for
/// larger n the two are equal with a probability of 2⁻⁶³.
pub(crate) fn filler(nonce: u64) -> u64 {
    mix(nonce) | 1 << 63
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a bijection
/// that spreads neighbouring nonces over all 64 bits.
fn mix(nonce: u64) -> u64 {
    let mut z = nonce.wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
