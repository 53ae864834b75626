//! Planted bugs and crash points, so that a test can prove that its check would notice one and that nothing is lost
//! wherever a process ends.
//!
//! In debug builds the environment variable `SOUK_PLANTED_BUG` names a bug, `SOUK_CRASH_AT` a crash point with the visit
//! at which the process ends there, `relay.sent:2`, and `SOUK_STOP_AT` one at which it stands still until it is sent
//! SIGCONT, so that a test can take away what it works with at that very moment; release builds have none of this.

/// Every crash point: a step after which something is durable that was not before, or just before one.
pub const CRASH_POINTS: &[&str] = &[
    // api: a batch is committed and nobody is answered yet.
    "catalog.committed",
    // relay: a batch is read from the outbox, none of it is sent.
    "relay.read",
    // relay: half of a batch is with the broker, its transaction open.
    "relay.half-sent",
    // relay: events and position are with the broker, the transaction open.
    "relay.sent",
    // relay: the transaction is committed, nothing else knows.
    "relay.committed",
    // relay: a leaf is truncated, the truncation not committed.
    "relay.truncating",
    // analytics: recent events are stored, the position is not.
    "recent.stored",
    // analytics: some items of a flush are updated.
    "aggregates.half-stored",
    // analytics: all items of a flush are updated, the position is not.
    "aggregates.stored",
    // analytics: an object is encoded, not written.
    "archive.encoded",
    // analytics: an object is written, the position is not.
    "archive.written",
    // analytics: partitions go to another member, their rest is not durable.
    "consumer.revoking",
    // notifications: records are read from the log, no reader has them.
    "stream.read",
];

/// The crash points of `souk migrate copy`, which no service comes by.
pub const MIGRATION_CRASH_POINTS: &[&str] = &[
    // a batch of rows is committed in the target, the record does not know.
    "migrate.taken",
    // the record is written beside the old one, which is still in its place.
    "migrate.recording",
    // the record knows of a batch, the next one is not begun.
    "migrate.recorded",
];

/// The crash points of `souk migrate backup`.
pub const BACKUP_CRASH_POINTS: &[&str] = &[
    // the source is dumped, nothing else is written.
    "migrate.dumped",
    // all is written and sealed, the folder has not got its name.
    "migrate.backed-up",
];

/// The crash points of `souk migrate restore`.
pub const RESTORE_CRASH_POINTS: &[&str] = &[
    // a dump is restored into its scratch database, which is not dropped.
    "migrate.restored",
];

/// The crash points of the steps after it, while both systems run.
pub const TURNING_CRASH_POINTS: &[&str] = &[
    // follow: changes are known, nothing of them is taken.
    "migrate.following",
    // follow: changes are in the target, the position is not recorded.
    "migrate.followed",
    // cut-over and rollback: old writers are shut out, or souk's; nothing is turned.
    "migrate.fenced",
    // cut-over and rollback: the record is turned, the keeper or the fence not yet.
    "migrate.turning",
    // cut-over and rollback: all is turned, the record does not say that the step has ended.
    "migrate.turned",
    // way back: rows and position are written, the transaction is not committed.
    "migrate.back-written",
    // finish: the record is turned, everything is still in the source.
    "migrate.finishing",
    // finish: nothing is left in the source, the record does not say that the step has ended.
    "migrate.removed",
];

/// The crash points of `souk move`, which no service comes by.
pub const MOVE_CRASH_POINTS: &[&str] = &[
    // the target knows that a move has begun, nothing has moved.
    "move.begun",
    // events are in the target's log together with how far the move is.
    "move.events",
    // rows are in the target's catalog together with how far the move is.
    "move.rows",
    // remembered answers are there, the target is not settled.
    "move.answers",
    // the target is settled, its consumers have not begun.
    "move.settled",
    // the consumers have everything, the audit has not begun.
    "move.consumed",
    // the audit found nothing, the move is not finished.
    "move.audited",
];

/// Tells whether the planted bug `name` is switched on.
#[cfg(debug_assertions)]
pub fn planted(name: &str) -> bool {
    use std::sync::OnceLock;
    static PLANTED: OnceLock<Option<String>> = OnceLock::new();
    PLANTED.get_or_init(|| std::env::var("SOUK_PLANTED_BUG").ok()).as_deref() == Some(name)
}

/// Always `false`: a release build has no planted bugs.
#[cfg(not(debug_assertions))]
#[inline]
pub fn planted(_name: &str) -> bool {
    false
}

/// Tells whether what usually takes minutes is to take seconds, so that a test sees it: `SOUK_HURRY` is set.
#[cfg(debug_assertions)]
pub fn hurried() -> bool {
    use std::sync::OnceLock;
    static HURRIED: OnceLock<bool> = OnceLock::new();
    *HURRIED.get_or_init(|| std::env::var_os("SOUK_HURRY").is_some())
}

/// Always `false`: a release build takes its time.
#[cfg(not(debug_assertions))]
#[inline]
pub fn hurried() -> bool {
    false
}

/// Ends the process at once, as `kill -9` would, or stops it until it is told to go on, when the crash point `name` is
/// chosen and this is its visit.
///
/// # Panics
/// When `name` is not among [`CRASH_POINTS`], [`MIGRATION_CRASH_POINTS`], [`BACKUP_CRASH_POINTS`],
/// [`RESTORE_CRASH_POINTS`], [`TURNING_CRASH_POINTS`] or [`MOVE_CRASH_POINTS`].
#[cfg(debug_assertions)]
pub fn crash_point(name: &str) {
    static CRASH: Chosen = Chosen::by("SOUK_CRASH_AT");
    static STOP: Chosen = Chosen::by("SOUK_STOP_AT");
    let all = [
        CRASH_POINTS,
        MIGRATION_CRASH_POINTS,
        BACKUP_CRASH_POINTS,
        RESTORE_CRASH_POINTS,
        TURNING_CRASH_POINTS,
        MOVE_CRASH_POINTS,
    ];
    let known = all.iter().any(|all| all.contains(&name));
    assert!(known, "{name} is not among the crash points");
    if let Some(visit) = CRASH.is_here(name) {
        // To the descriptor itself: nothing may be buffered that the abort would lose.
        eprintln!("crash point {name}, visit {visit}");
        std::process::abort();
    }
    if let Some(visit) = STOP.is_here(name) {
        eprintln!("stop point {name}, visit {visit}");
        let stop =
            std::process::Command::new("kill").args(["-STOP", &std::process::id().to_string()]).status();
        assert!(stop.is_ok_and(|status| status.success()), "nobody stops this process: is there a `kill`?");
    }
}

/// A crash point that a variable of the environment chooses, and how often it was visited.
#[cfg(debug_assertions)]
struct Chosen {
    variable: &'static str,
    place: std::sync::OnceLock<Option<(String, u64)>>,
    visits: std::sync::atomic::AtomicU64,
}

#[cfg(debug_assertions)]
impl Chosen {
    const fn by(variable: &'static str) -> Self {
        Self { variable, place: std::sync::OnceLock::new(), visits: std::sync::atomic::AtomicU64::new(0) }
    }

    /// Counts a visit at `name`; returns its number when it is the one that was chosen.
    fn is_here(&self, name: &str) -> Option<u64> {
        let place = self.place.get_or_init(|| {
            let text = std::env::var(self.variable).ok()?;
            let (name, visit) = text.split_once(':').unwrap_or((&text, "1"));
            Some((name.to_owned(), visit.parse().unwrap_or(1)))
        });
        let (_, visit) = place.as_ref().filter(|(point, _)| point == name)?;
        let this = self.visits.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
        (this == *visit).then_some(*visit)
    }
}

/// Does nothing: a release build has no crash points.
#[cfg(not(debug_assertions))]
#[inline]
pub fn crash_point(_name: &str) {}
