//! Managers: ordinary values in a server process, behind proxies.

mod client;
mod dict;
mod function;
mod gate;
mod handle;
mod home;
mod list;
mod object;
mod owner;
mod proxy;
mod references;
mod server;
mod value;
mod wire;

use serde::{Serialize, de::DeserializeOwned};

pub use dict::DictProxy;
pub use handle::ManagerHandle;
pub use list::ListProxy;
pub use owner::{Manager, ManagerBuilder};
pub use proxy::Proxy;
pub use value::{CounterProxy, ValueProxy};

/// What the ready-made collections of a [`Manager`] can hold: anything that
/// can be sent to another process and copied, proxies among it.
///
/// Every type with these properties has this trait.
pub trait Portable: Serialize + DeserializeOwned + Clone + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Clone + Send + 'static> Portable for T {}
