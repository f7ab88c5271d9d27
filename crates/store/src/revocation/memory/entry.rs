//! Entries as they lie in the memory: an ended session in 20 bytes with its key, a user's mark in 16, and what is read out of
//! them again.

use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::time::Timestamp;

use crate::revocation::tenants::Mark;

/// Seconds from the epoch to the instant from which on entries count their lifetime: 2020-01-01T00:00:00Z.
const ORIGIN: i64 = 1_577_836_800;

/// The unit of an entry's lifetime, in seconds, and how many bits of an entry it leaves for the reason.
const UNIT: i64 = 16;
const REASON_BITS: u32 = 5;
const REASON_MASK: u32 = (1 << REASON_BITS) - 1;

/// A tenant's session: the tenant as a 64-bit hash, so that an entry has a fixed size, and both in halves, so that it has
/// no padding.
pub(super) type Key = [u32; 4];

/// When it may be forgotten, in units after the origin, and why it ended: 20 bytes with the key.
pub(super) type Entry = u32;

/// A user's mark: milliseconds, and the reason in the low byte. The key is a hash of tenant and user under a secret of this
/// process; 16 bytes together.
pub(super) type UserMark = u64;

/// Bytes of an entry, before the table's own.
pub(super) const SESSION_BYTES: usize = size_of::<(Key, Entry)>();
pub(super) const USER_BYTES: usize = size_of::<(u64, UserMark)>();
const _: () = assert!(SESSION_BYTES <= 24 && USER_BYTES <= 24, "an entry has at most 24 bytes");

/// A session's key, of the hash of its tenant.
pub(super) fn key_of(owner: u64, session_id: SessionId) -> Key {
    let session = session_id.number().cast_unsigned();
    [high(owner), low(owner), high(session), low(session)]
}

/// The lifetime is rounded up.
pub(super) fn pack_entry(until: i64, reason: EndReason) -> Entry {
    let units = (until - ORIGIN).max(0).saturating_add(UNIT - 1) / UNIT;
    let units = u32::try_from(units).unwrap_or(u32::MAX).min(u32::MAX >> REASON_BITS);
    units << REASON_BITS | number(reason)
}

/// The first reason stands; the longer lifetime counts.
pub(super) fn prolonged(known: Entry, entry: Entry) -> Entry {
    known.max(entry >> REASON_BITS << REASON_BITS | known & REASON_MASK)
}

pub(super) fn expiry_of(entry: Entry) -> i64 {
    ORIGIN + i64::from(entry >> REASON_BITS) * UNIT
}

pub(super) fn reason_of(entry: Entry) -> EndReason {
    reason(entry & REASON_MASK)
}

pub(super) fn pack(not_before: Timestamp, reason: EndReason) -> UserMark {
    not_before.millis().max(0).cast_unsigned() << 8 | u64::from(number(reason))
}

pub(super) fn unpack(mark: UserMark) -> Mark {
    (Timestamp((mark >> 8).cast_signed()), reason(low(mark) & 0xff))
}

fn number(reason: EndReason) -> u32 {
    u32::try_from(reason.number()).unwrap_or(0)
}

fn reason(number: u32) -> EndReason {
    i32::try_from(number).ok().and_then(EndReason::from_number).unwrap_or(EndReason::Kicked)
}

fn high(number: u64) -> u32 {
    u32::try_from(number >> 32).unwrap_or(0)
}

fn low(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0)
}
