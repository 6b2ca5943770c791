//! What a place in a list can hold.

/// An item of a [`ShareableList`](crate::ShareableList).
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Item {
    /// Nothing.
    #[default]
    None,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Str(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Item {
    /// What kind of item it is, as a number for the memory.
    pub(super) const fn kind(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::Bool(_) => 1,
            Self::Int(_) => 2,
            Self::Float(_) => 3,
            Self::Str(_) => 4,
            Self::Bytes(_) => 5,
        }
    }

    /// Calls `with` with its bytes.
    pub(super) fn with_bytes<R>(&self, with: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Self::None => with(&[]),
            Self::Bool(value) => with(&[u8::from(*value)]),
            Self::Int(value) => with(&value.to_ne_bytes()),
            Self::Float(value) => with(&value.to_ne_bytes()),
            Self::Str(text) => with(text.as_bytes()),
            Self::Bytes(bytes) => with(bytes),
        }
    }

    /// The item of this kind and these bytes, if there is one.
    pub(super) fn from_bytes(kind: u64, bytes: Vec<u8>) -> Option<Self> {
        Some(match kind {
            0 if bytes.is_empty() => Self::None,
            1 => match bytes[..] {
                [0] => Self::Bool(false),
                [1] => Self::Bool(true),
                _ => return None,
            },
            2 => Self::Int(i64::from_ne_bytes(bytes.try_into().ok()?)),
            3 => Self::Float(f64::from_ne_bytes(bytes.try_into().ok()?)),
            4 => Self::Str(String::from_utf8(bytes).ok()?),
            5 => Self::Bytes(bytes),
            _ => return None,
        })
    }
}

macro_rules! items {
    ($($type:ty => $value:ident $item:expr;)*) => {
        $(
            impl From<$type> for Item {
                fn from($value: $type) -> Self {
                    $item
                }
            }
        )*
    };
}

items! {
    () => _value Item::None;
    bool => value Item::Bool(value);
    i32 => value Item::Int(value.into());
    u32 => value Item::Int(value.into());
    i64 => value Item::Int(value);
    f32 => value Item::Float(value.into());
    f64 => value Item::Float(value);
    &str => value Item::Str(value.to_owned());
    String => value Item::Str(value);
    &[u8] => value Item::Bytes(value.to_owned());
    Vec<u8> => value Item::Bytes(value);
}

impl<const N: usize> From<&[u8; N]> for Item {
    fn from(bytes: &[u8; N]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

/// `None` is [`Item::None`].
impl<T: Into<Item>> From<Option<T>> for Item {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}
