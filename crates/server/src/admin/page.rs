//! Lists in pages: a cursor names the last item that was seen, so that what is added meanwhile moves nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::problem::Problem;

/// Items where a request does not say how many.
const USUAL: u32 = 50;

/// Items at most.
const MOST: u32 = 200;

/// Which part of a list is asked for.
#[derive(Debug)]
pub(super) struct PageRequest {
    list: &'static str,
    limit: usize,
    /// What the cursor names: the key of the last item that was seen.
    pub(super) after: Option<String>,
}

impl PageRequest {
    /// Reads `limit` and `cursor` of a list of this name.
    ///
    /// # Errors
    /// 400 where one is not valid; a cursor of another list is none.
    pub(super) fn read(list: &'static str, limit: Option<u32>, cursor: Option<&str>) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::parameter("limit", format!("it is 1 to {MOST}")));
        }
        let after = cursor.filter(|cursor| !cursor.is_empty()).map(|cursor| {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
            let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))?;
            Some(text.strip_prefix(list)?.strip_prefix(':')?.to_owned())
        });
        let after = match after {
            Some(None) => return Err(Self::bad_cursor()),
            Some(after) => after,
            None => None,
        };
        Ok(Self { list, limit: limit as usize, after })
    }

    /// A cursor that names nothing.
    pub(super) fn bad_cursor() -> Problem {
        Problem::parameter("cursor", "it is not a cursor of this list")
    }

    /// What the cursor names, read by `parse`.
    pub(super) fn after<T>(&self, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        self.after.as_deref().map(|text| parse(text).ok_or_else(Self::bad_cursor)).transpose()
    }

    /// How many rows to read: one more than are shown says whether there are more.
    pub(super) fn rows(&self) -> i64 {
        i64::try_from(self.limit + 1).unwrap_or(i64::MAX)
    }

    /// The rows that are shown, and the cursor of the next page where there are more.
    pub(super) fn cut<T>(&self, mut rows: Vec<T>, key: impl FnOnce(&T) -> String) -> (Vec<T>, Option<String>) {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next = rows.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(format!("{}:{}", self.list, key(last))));
        (rows, next)
    }
}

/// Declares the page of a list: its items and the next page's cursor.
macro_rules! page {
    ($(#[$doc:meta])* $name:ident of $item:ty) => {
        $(#[$doc])*
        #[derive(poem_openapi::Object)]
        #[oai(rename_all = "camelCase")]
        pub(super) struct $name {
            /// The items of this page.
            items: Vec<$item>,
            /// `cursor` of the next page; null on the last one.
            next_cursor: Option<String>,
        }

        impl From<(Vec<$item>, Option<String>)> for $name {
            fn from((items, next_cursor): (Vec<$item>, Option<String>)) -> Self {
                Self { items, next_cursor }
            }
        }
    };
}

pub(super) use page;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_goes_on_behind_the_last_item() {
        let first = PageRequest::read("users", Some(2), None).unwrap();
        let (shown, cursor) = first.cut(vec!["a", "b", "c"], |last| (*last).to_owned());
        assert_eq!(shown, ["a", "b"]);
        let cursor = cursor.unwrap();
        let second = PageRequest::read("users", Some(2), Some(&cursor)).unwrap();
        assert_eq!(second.after.as_deref(), Some("b"));
        assert_eq!(second.cut(vec!["c"], |last| (*last).to_owned()), (vec!["c"], None));
        assert_eq!(PageRequest::read("tenants", None, Some(&cursor)).unwrap_err().status(), 400);
        for bad in ["!", "YQ", "dXNlcnM"] {
            assert_eq!(PageRequest::read("users", None, Some(bad)).unwrap_err().status(), 400, "{bad}");
        }
        for bad in [0, 201] {
            assert_eq!(PageRequest::read("users", Some(bad), None).unwrap_err().status(), 400, "{bad}");
        }
    }
}
