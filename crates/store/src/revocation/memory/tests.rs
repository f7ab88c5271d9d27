//! What is kept, for how long, in how many bytes, and what happens when it is too much.

use super::entry::SESSION_BYTES;
use super::*;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const MIB: usize = 1 << 20;

fn owner(text: &str) -> OwnerId {
    OwnerId::parse(text).unwrap()
}

/// The session with this number, of some thousand that began in the same millisecond.
fn session_id(number: u32) -> SessionId {
    SessionId::from_number(
        bo_auth_core::session::first_id_at(NOW.plus(Duration::from_millis(u64::from(number >> 16)))) | i64::from(number & 0xffff),
    )
}

fn ended(owner_id: &str, number: u32, keep: Duration) -> EndedSession {
    EndedSession {
        owner_id: owner(owner_id),
        session_id: session_id(number),
        sys_id: SystemId::parse("web").unwrap(),
        user_id: UserId::parse("u1").unwrap(),
        reason: EndReason::LoggedOut,
        ended_at: NOW,
        keep_until: NOW.plus(keep),
        event_id: 1,
    }
}

fn find(memory: &Memory, owner_id: &str, number: u32) -> Found {
    let user_id = UserId::parse("u1").unwrap();
    memory.find(&SessionKey { owner_id: &owner(owner_id), session_id: session_id(number), sys_id: None, user_id: Some(&user_id) })
}

fn user_mark(owner_id: &str, user_id: &str, at: Timestamp) -> NotBefore {
    NotBefore {
        owner_id: owner(owner_id),
        scope: Scope::User(UserId::parse(user_id).unwrap()),
        not_before: at,
        reason: EndReason::PasswordChanged,
        revision: 0,
        event_id: 0,
    }
}

#[test]
fn a_million_entries_fit_into_sixty_four_mebibytes() {
    let memory = Memory::new(64 * MIB);
    for number in 0..1_000_000 {
        memory.insert(&ended("acme", number, Duration::from_hours(2)));
    }
    let usage = memory.usage();
    assert_eq!((usage.sessions, usage.overflown_parts), (1_000_000, 0));
    assert!(usage.bytes <= 64 * MIB, "{} bytes", usage.bytes);
    assert_eq!(SESSION_BYTES, 20, "an entry, before the tables' own");
    for number in 0..1_000_000 {
        assert_eq!(find(&memory, "acme", number), Found::Ended(EndReason::LoggedOut));
    }
    assert_eq!(find(&memory, "other", 7), Found::Live, "the same id in another tenant");
    memory.forget_expired(NOW.plus(Duration::from_hours(2)));
    assert_eq!(memory.usage().sessions, 1_000_000, "an access token may live to the last moment");
    memory.forget_expired(NOW.plus(Duration::from_hours(2) + Duration::from_secs(20)));
    assert_eq!(memory.usage().sessions, 0);
}

#[test]
fn what_does_not_fit_is_unknown_and_never_live() {
    let memory = Memory::new(MIB);
    let count = 40_000;
    for number in 0..count {
        memory.insert(&ended("acme", number, Duration::from_mins(5 + u64::from(number / 64 % 2))));
    }
    let usage = memory.usage();
    assert!(usage.bytes <= MIB && usage.sessions < 40_000 && usage.overflown_parts == SHARDS, "{usage:?}");
    for number in 0..count {
        assert_ne!(find(&memory, "acme", number), Found::Live, "an ended session is never live");
    }
    assert_eq!(find(&memory, "acme", count), Found::Unknown, "nor is one that is: the database must say so");
    memory.forget_expired(NOW.plus(Duration::from_mins(5) + Duration::from_secs(40)));
    assert_eq!(find(&memory, "acme", count), Found::Unknown, "what did not fit may still have live tokens");
    memory.forget_expired(NOW.plus(Duration::from_mins(7)));
    assert_eq!((find(&memory, "acme", count), memory.usage().overflown_parts), (Found::Live, 0));
}

#[test]
fn a_users_mark_refuses_what_began_before_it() {
    let memory = Memory::new(MIB);
    memory.insert_marks(&[user_mark("acme", "u1", NOW.plus(Duration::from_millis(2)))]);
    memory.insert_marks(&[user_mark("acme", "u1", NOW), user_mark("acme", "u2", NOW.plus(Duration::from_hours(1)))]);
    assert_eq!(find(&memory, "acme", 0), Found::Ended(EndReason::PasswordChanged));
    assert_eq!(find(&memory, "acme", 1 << 16), Found::Ended(EndReason::PasswordChanged), "a millisecond before");
    assert_eq!(find(&memory, "acme", 2 << 16), Found::Live, "in the mark's own millisecond");
    assert_eq!(find(&memory, "other", 0), Found::Live, "a user of the same id in another tenant");
    memory.forget_expired(NOW.plus(Duration::from_hours(24)));
    assert_eq!(find(&memory, "acme", 0), Found::Ended(EndReason::PasswordChanged), "a token may live for a day");
    memory.forget_expired(NOW.plus(Duration::from_hours(25)));
    assert_eq!((find(&memory, "acme", 0), memory.usage().users), (Found::Live, 1), "the later mark of the other user stays");
}

#[test]
fn the_first_reason_and_the_longer_lifetime_count() {
    let memory = Memory::new(MIB);
    memory.insert(&ended("acme", 1, Duration::from_mins(10)));
    memory.insert(&EndedSession { reason: EndReason::Kicked, ..ended("acme", 1, Duration::from_mins(20)) });
    memory.insert(&ended("acme", 1, Duration::from_mins(5)));
    memory.forget_expired(NOW.plus(Duration::from_mins(19)));
    assert_eq!(find(&memory, "acme", 1), Found::Ended(EndReason::LoggedOut));
    for reason in EndReason::ALL {
        assert_eq!(reason_of(pack_entry(NOW.seconds(), reason)), reason);
        assert_eq!(unpack(pack(NOW, reason)), (NOW, reason));
    }
}
