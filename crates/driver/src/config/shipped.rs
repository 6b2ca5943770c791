//! The configs that are built into the binary, so that it works from any folder.

/// A config by name.
pub(crate) struct Shipped {
    /// As in `--config NAME`.
    pub(crate) name: &'static str,
    /// The file's text.
    pub(crate) text: &'static str,
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(Shipped {
            name: $name,
            text: include_str!(concat!("../../../../bench-configs/", $name, ".toml")),
        }),*]
    };
}

/// All of them; the first is used if none is named.
pub(crate) const SHIPPED: &[Shipped] = shipped![
    "default",
    "quick",
    "speed-up",
    "granularity",
    "start-methods",
    "payload",
    "table",
    "limits",
    "ci",
    "duel",
];
