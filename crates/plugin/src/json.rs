//! A JSON value as a script holds it: opaque, order-keeping, with value semantics.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

/// The host type of `response` and of everything taken out of it. Not one of rhai's maps, which sort their keys and need the
/// whole value converted on the way in and out.
#[derive(Clone, Debug)]
pub(crate) enum Json {
    /// A value that is copied on the first write while others hold it: what a tenant's script gets.
    Owned(Arc<Value>),
    /// A value that is changed where it stands: what a built-in gets, so that nothing is copied and nothing is lost.
    Lent(Arc<Mutex<Value>>),
}

impl Json {
    pub(crate) fn owned(value: Value) -> Self {
        Self::Owned(Arc::new(value))
    }

    /// Looks at the value.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&Value) -> R) -> R {
        match self {
            Self::Owned(value) => look(value),
            Self::Lent(value) => look(&value.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Changes the value.
    pub(crate) fn change<R>(&mut self, edit: impl FnOnce(&mut Value) -> R) -> R {
        match self {
            Self::Owned(value) => edit(Arc::make_mut(value)),
            Self::Lent(value) => edit(&mut value.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// The value itself; copied only where others still hold it.
    pub(crate) fn into_value(self) -> Value {
        match self {
            Self::Owned(value) => Arc::unwrap_or_clone(value),
            Self::Lent(value) => mem::take(&mut *value.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}
