//! A JSON value as a script holds it: opaque, order-keeping, with value semantics.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use crate::budget::{Fallible, Work};

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

    /// Changes the value. Fails if it has to be copied first, and the budget does not allow that.
    pub(crate) fn change<R>(&mut self, edit: impl FnOnce(&mut Value) -> R) -> Fallible<R> {
        match self {
            Self::Owned(value) => {
                if Arc::get_mut(value).is_none() {
                    *value = Arc::new(copy(value)?);
                }
                // It is ours alone now, so this copies nothing.
                Ok(edit(Arc::make_mut(value)))
            }
            Self::Lent(value) => Ok(edit(&mut value.lock().unwrap_or_else(PoisonError::into_inner))),
        }
    }

    /// The value itself; copied only if others still hold it, as far as the budget allows.
    pub(crate) fn into_value(self) -> Fallible<Value> {
        match self {
            Self::Owned(value) => Arc::try_unwrap(value).or_else(|shared| copy(&shared)),
            Self::Lent(value) => Ok(mem::take(&mut *value.lock().unwrap_or_else(PoisonError::into_inner))),
        }
    }
}

/// A copy of a value, which ends where the budget does: one value can fill all the memory that a run may hold.
pub(crate) fn copy(value: &Value) -> Fallible<Value> {
    copy_counted(value, &mut Work::default())
}

fn copy_counted(value: &Value, work: &mut Work) -> Fallible<Value> {
    Ok(match value {
        Value::Object(members) => {
            work.add(members.len() * mem::size_of::<Value>())?;
            let mut copied = Map::with_capacity(members.len());
            for (name, member) in members {
                work.add(name.len())?;
                copied.insert(name.clone(), copy_counted(member, work)?);
            }
            Value::Object(copied)
        }
        Value::Array(elements) => {
            work.add(elements.len() * mem::size_of::<Value>())?;
            let mut copied = Vec::with_capacity(elements.len());
            for element in elements {
                copied.push(copy_counted(element, work)?);
            }
            Value::Array(copied)
        }
        Value::String(text) => {
            work.add(text.len())?;
            Value::String(text.clone())
        }
        simple => {
            work.add(0)?;
            simple.clone()
        }
    })
}
