//! What a process knows of itself and of its parent.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::this_process;
use crate::StartMethod;

/// Told to every child at its birth.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Biography {
    pub(crate) name: String,
    /// The numbers behind the default name: `2:1` is the first child of the
    /// second child of the main process, whose own is empty.
    pub(crate) lineage: String,
    pub(crate) is_daemon: bool,
    /// How it was started; `None` for the main process.
    pub(crate) start_method: Option<StartMethod>,
    /// The process that wanted it, which under the fork server is not the one
    /// that forked it.
    pub(crate) parent_pid: i32,
    pub(crate) parent_name: String,
    /// Cores to be pinned to; none: as the parent.
    pub(crate) cores: Vec<usize>,
}

/// `None` in the main process.
static OURS: Mutex<Option<Arc<Biography>>> = Mutex::new(None);

impl Biography {
    /// Of a child of this process.
    pub(crate) fn of_child(name: &str, start_method: StartMethod) -> Self {
        let this = Self::of_this_process();
        Self {
            name: name.to_owned(),
            start_method: Some(start_method),
            parent_pid: this_process() as i32,
            parent_name: this.name.clone(),
            ..Self::default()
        }
    }

    pub(crate) fn of_this_process() -> Arc<Self> {
        let mut ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
        let main = || Arc::new(Self { name: "MainProcess".to_owned(), ..Self::default() });
        Arc::clone(ours.get_or_insert_with(main))
    }

    /// For a child that begins to live.
    pub(crate) fn adopt(self) {
        *OURS.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(self));
    }

    /// Whether this is the main process's.
    pub(crate) fn is_of_main(&self) -> bool {
        self.start_method.is_none()
    }

    /// The lineage of the child with the number `number`.
    pub(crate) fn lineage_of_child(&self, number: u64) -> String {
        if self.lineage.is_empty() {
            number.to_string()
        } else {
            format!("{}:{number}", self.lineage)
        }
    }
}
