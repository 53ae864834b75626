//! Memory of an audit does not grow with the installation. Bytes are counted by the allocator, so that the machine
//! and its load have no part in it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use souk_audit::{AuditConfig, audit};

#[path = "../support/mod.rs"]
mod support;

use support::World;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// Counts what is held, and the most that ever was.
struct Counting;

// SAFETY: every call is passed on to the system's allocator as it came.
#[expect(unsafe_code, reason = "an allocator is unsafe to implement")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Audits an installation of so many products; returns bytes held by the installation, and by the audit at most.
async fn audited(products: usize) -> (usize, usize) {
    let before = HELD.load(Ordering::Relaxed);
    let world = World::new(4);
    world.trade(products);
    world.relay(100);
    world.consume().await;
    world.archive(2_000).await;
    // Half of it lies in the archive alone.
    world.trim(products / 4);
    let config = AuditConfig { memory: 256 << 10, ..world.config() };
    let held = HELD.load(Ordering::Relaxed);
    PEAK.store(held, Ordering::Relaxed);
    let report = audit(&world.deps(), &config, |_| {}).await.unwrap();
    let peak = PEAK.load(Ordering::Relaxed);
    assert!(report.ok, "{report}");
    assert_eq!((report.products + report.deleted_products) as usize, products);
    (held - before, peak - held)
}

#[test]
fn an_audit_of_ten_times_the_data_takes_no_more_memory() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (small, small_peak) = runtime.block_on(audited(1_500));
    let (large, large_peak) = runtime.block_on(audited(15_000));
    println!("{small_peak} bytes for {small} bytes of data, {large_peak} for {large}");
    assert!(large > 8 * small, "there is ten times the data");
    // Files that are merged have a buffer each, and there are at most some thirty of them.
    let slack = 3 << 19;
    assert!(large_peak < small_peak + slack, "{small_peak} bytes became {large_peak}");
}
