//! The sessions of an old v1.0 fleet, as its servers keep them in their shared Redis (contract 2.2): three plain strings
//! `<app>:<sid>name`, `<app>:<sid>user_id` and `<app>:<sid>mobile`, with an expiry and without an index.

use std::time::Duration;

use redis::{Pipeline, cmd};

use crate::{Error, RedisConnection};

/// The three strings of a session, in the order in which they are written and read.
const PARTS: [&str; 3] = ["name", "user_id", "mobile"];

/// The longest session id that is looked for, in bytes. Old servers made 32 characters, and ours has 33.
const SESSION_ID_BYTES: usize = 128;

/// How a fleet writes a user's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserIdEncoding {
    /// Decimal text, `42`.
    Decimal,
    /// One UTF-8 code point, as Go's `string(42)` makes of it: `*`.
    CodePoint,
}

impl UserIdEncoding {
    /// Reads what an old server has written. A number that has no code point was written as U+FFFD, which says
    /// nothing.
    pub fn decode(self, text: &str) -> Option<u32> {
        match self {
            Self::Decimal => Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok(),
            Self::CodePoint => {
                let mut characters = text.chars();
                let only = characters.next().filter(|character| *character != char::REPLACEMENT_CHARACTER)?;
                characters.next().is_none().then_some(u32::from(only))
            }
        }
    }

    /// Writes a number as an old server would read it; `None` where it has no code point.
    pub fn encode(self, number: u32) -> Option<String> {
        match self {
            Self::Decimal => Some(number.to_string()),
            Self::CodePoint => char::from_u32(number).map(String::from),
        }
    }
}

/// A session of an old server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldSession {
    /// The name for people.
    pub name: String,
    /// The user's number.
    pub user_number: u32,
    /// The mobile number; absent where the old server did not write it.
    pub mobile: Option<String>,
}

/// The sessions in one fleet's Redis.
#[derive(Debug, Clone)]
pub struct OldSessions {
    connection: RedisConnection,
    app: String,
    user_ids: UserIdEncoding,
}

impl OldSessions {
    /// Those of the servers that call themselves `app`.
    pub const fn new(connection: RedisConnection, app: String, user_ids: UserIdEncoding) -> Self {
        Self { connection, app, user_ids }
    }

    /// The session, if there is one.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`]; [`Error::Corrupt`] where it is there and its user's number cannot be read.
    pub async fn find(&self, session_id: &str) -> Result<Option<OldSession>, Error> {
        let Some([name, user_id, mobile]) = self.keys(session_id) else { return Ok(None) };
        // Three calls and no MGET: on a cluster the three lie on different servers.
        let (name, user_id, mobile) = tokio::try_join!(self.read(&name), self.read(&user_id), self.read(&mobile))?;
        let (Some(name), Some(user_id)) = (name, user_id) else { return Ok(None) };
        let user_number = self.user_ids.decode(&user_id).ok_or(Error::Corrupt("session of an old server"))?;
        Ok(Some(OldSession { name, user_number, mobile }))
    }

    /// Writes a session for old servers to find, for so long. False where its user's number cannot be written.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`].
    pub async fn write(&self, session_id: &str, session: &OldSession, lifetime: Duration) -> Result<bool, Error> {
        let Some(keys) = self.keys(session_id) else { return Ok(false) };
        let Some(user_id) = self.user_ids.encode(session.user_number) else { return Ok(false) };
        let values = [session.name.as_str(), user_id.as_str(), session.mobile.as_deref().unwrap_or_default()];
        let seconds = lifetime.as_secs().max(1);
        let setex = |key: &str, value: &str| cmd("SETEX").arg(key).arg(seconds).arg(value).to_owned();
        if self.connection.is_cluster() {
            for (key, value) in keys.iter().zip(values) {
                let () = setex(key, value).query_async(&mut self.connection.clone()).await?;
            }
        } else {
            let mut pipeline = Pipeline::with_capacity(PARTS.len());
            // All or nothing: an old server never sees half a session.
            pipeline.atomic();
            for (key, value) in keys.iter().zip(values) {
                pipeline.add_command(setex(key, value)).ignore();
            }
            let () = pipeline.query_async(&mut self.connection.clone()).await?;
        }
        Ok(true)
    }

    /// Removes a session; one that is not there is removed already.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`].
    pub async fn remove(&self, session_id: &str) -> Result<(), Error> {
        let Some(keys) = self.keys(session_id) else { return Ok(()) };
        if self.connection.is_cluster() {
            for key in &keys {
                let () = cmd("DEL").arg(key).query_async(&mut self.connection.clone()).await?;
            }
            return Ok(());
        }
        Ok(cmd("DEL").arg(&keys).query_async(&mut self.connection.clone()).await?)
    }

    async fn read(&self, key: &str) -> Result<Option<String>, Error> {
        let bytes: Option<Vec<u8>> = cmd("GET").arg(key).query_async(&mut self.connection.clone()).await?;
        let text = bytes.map(String::from_utf8).transpose().map_err(|_| Error::Corrupt("session of an old server"))?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// A session id comes from a cookie: what no server has made leads to no key.
    fn keys(&self, session_id: &str) -> Option<[String; 3]> {
        let plausible = (1..=SESSION_ID_BYTES).contains(&session_id.len()) && session_id.bytes().all(|byte| byte.is_ascii_graphic());
        plausible.then(|| PARTS.map(|part| format!("{}:{session_id}{part}", self.app)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were_written() {
        for (encoding, text, number) in [
            (UserIdEncoding::Decimal, "42", Some(42)),
            (UserIdEncoding::Decimal, "*", None),
            (UserIdEncoding::Decimal, "+42", None),
            (UserIdEncoding::Decimal, "99999999999", None),
            (UserIdEncoding::CodePoint, "*", Some(42)),
            (UserIdEncoding::CodePoint, "\u{1}", Some(1)),
            (UserIdEncoding::CodePoint, "退", Some(0x9000)),
            (UserIdEncoding::CodePoint, "42", None),
            (UserIdEncoding::CodePoint, "\u{fffd}", None),
        ] {
            assert_eq!(encoding.decode(text), number, "{encoding:?} {text}");
            if let Some(number) = number {
                assert_eq!(encoding.encode(number).as_deref(), Some(text));
            }
        }
        assert_eq!(UserIdEncoding::CodePoint.encode(0xd800), None);
    }

    #[tokio::test]
    async fn what_no_server_has_made_leads_to_no_key() {
        let connection = RedisConnection::open("unix:///nowhere/redis.sock").unwrap();
        let sessions = OldSessions::new(connection, "ihome".to_owned(), UserIdEncoding::Decimal);
        assert_eq!(sessions.keys("abc").unwrap()[1], "ihome:abcuser_id");
        for bad in ["", "a b", "a\n", "é", &"a".repeat(129)] {
            assert_eq!(sessions.find(bad).await.unwrap(), None, "{bad:?}");
        }
        assert!(sessions.find("abc").await.unwrap_err().is_unavailable());
        assert!(sessions.remove("abc").await.unwrap_err().is_unavailable());
    }
}
