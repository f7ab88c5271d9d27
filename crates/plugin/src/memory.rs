//! The process's allocator, and what the current thread holds of it. Linking this crate installs the allocator.
//!
//! Scripts are bounded by live memory, which only an allocator can count. jemalloc counts for each thread what was allocated
//! and freed, and its counters are read without a lock.

use tikv_jemalloc_ctl::thread::{ThreadLocal, allocatedp, deallocatedp};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

thread_local! {
    static COUNTERS: Option<Counters> = Counters::open();
}

/// The counters of one thread: bytes allocated and bytes freed since it began.
struct Counters {
    allocated: ThreadLocal<u64>,
    freed: ThreadLocal<u64>,
}

impl Counters {
    fn open() -> Option<Self> {
        Some(Self { allocated: allocatedp::read().ok()?, freed: deallocatedp::read().ok()? })
    }
}

/// Bytes this thread has allocated less the bytes it has freed; only differences mean anything, and a thread that frees what
/// others allocated counts below zero. `None` where the allocator has no counters.
pub(crate) fn balance() -> Option<i64> {
    COUNTERS.with(|counters| {
        let counters = counters.as_ref()?;
        Some(counters.allocated.get().wrapping_sub(counters.freed.get()).cast_signed())
    })
}

#[cfg(test)]
mod tests {
    use super::balance;
    use std::hint::black_box;

    #[test]
    fn what_is_held_counts_until_it_is_freed() {
        let before = balance().unwrap();
        let held = black_box(vec![0_u8; 1 << 20]);
        assert!(balance().unwrap() - before >= 1 << 20);
        drop(held);
        assert!(balance().unwrap() - before < 1 << 16);
    }

    #[test]
    fn threads_are_counted_apart() {
        let before = balance().unwrap();
        let held = std::thread::spawn(|| vec![0_u8; 1 << 20]).join().unwrap();
        assert!(balance().unwrap() - before < 1 << 16, "another thread's memory was counted here");
        drop(held);
    }
}
