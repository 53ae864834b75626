//! `kill -9` at any moment, again and again, and what has to be true afterwards.
//!
//! Writers with a ledger of their own create, sell, order, rename and delete through the public API until the
//! process dies under them; then it starts again on the same data, whoever never heard an answer asks again under
//! the same key, and so on. In the end the ledger is held against the events and the products, and `souk audit`
//! against everything else. Each planted bug has to be found in the same way, or the check is worth nothing.

mod installation;
mod ledger;
mod operation;
mod verdict;
mod writer;

use std::path::Path;
use std::time::Duration;

use installation::{Installation, Moment};
use ledger::Ledger;
use writer::{Shelf, Writer};

use crate::support::Souk;

/// Writers at once: enough that batches hold several units, of which some have been answered and others not.
const WRITERS: u64 = 6;

/// What happens until one kill: work until the process is gone, then settle what nobody answered.
fn work_until_killed(installation: &Installation, writers: &mut [Writer], moment: Moment, delay: Duration) {
    let souk = installation.start();
    std::thread::scope(|scope| {
        for writer in writers.iter_mut() {
            let port = souk.ports.api;
            scope.spawn(move || writer.work(port));
        }
        installation.kill(souk, moment, delay);
    });
}

/// Asks again for everything that was never answered.
fn settle(souk: &Souk, writers: &mut [Writer]) {
    for writer in writers {
        writer.settle(souk.ports.api);
    }
}

fn writers(folder: &Path, seed: u64) -> (Installation, Vec<Writer>) {
    let installation = Installation::new(folder);
    let souk = installation.start();
    let shelf = Shelf::stock(&mut souk.api());
    souk.terminate();
    let writers = (0..WRITERS).map(|n| Writer::new(seed * WRITERS + n, shelf.clone())).collect();
    (installation, writers)
}

/// Everything that can be said against an installation, its writers settled.
fn findings(installation: &Installation, writers: &mut [Writer]) -> Vec<String> {
    let souk = installation.start();
    settle(&souk, writers);
    let ledgers: Vec<&Ledger> = writers.iter().map(Writer::ledger).collect();
    let mut findings =
        verdict::against_ledgers(&mut souk.analytics(), &mut souk.api(), &ledgers, writers[0].shelf());
    findings.extend(ledgers.iter().flat_map(|ledger| ledger.wrong_answers.iter().cloned()));
    let flushed = souk.analytics().call("POST", "/archive/flush", &[], None);
    if flushed.status != 200 {
        findings.push(format!("the archive could not be flushed: {} {}", flushed.status, flushed.text()));
    }
    souk.terminate();
    findings.extend(installation.audit());
    findings
}

/// Kills one installation `kills` times at the given moments in turn, looking at it in between.
fn survive(seed: u64, kills: u64, moments: &[Moment]) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (installation, mut writers) = writers(folder.path(), seed);
    let mut dice = operation::Dice::new(seed);
    for (kill, moment) in (0..kills).zip(moments.iter().cycle()) {
        let delay = Duration::from_micros(dice.roll(moment.longest_us()));
        work_until_killed(&installation, &mut writers, *moment, delay);
        if kill % 10 == 9 {
            let findings = findings(&installation, &mut writers);
            assert!(findings.is_empty(), "after {} kills, the last {moment:?}: {findings:#?}", kill + 1);
        }
    }
    let findings = findings(&installation, &mut writers);
    assert!(findings.is_empty(), "after {kills} kills: {findings:#?}");
    let answered: usize = writers.iter().map(|writer| writer.ledger().acknowledged()).sum();
    assert!(answered > 200, "the writers got through: {answered} answers");
    let lost: usize = writers.iter().map(|writer| writer.ledger().unheard()).sum();
    assert!(lost > 0, "kills fell between request and answer");
}

#[test]
fn acknowledged_writes_survive_kills_under_load() {
    survive(1, 40, &[Moment::UnderLoad]);
}

#[test]
fn acknowledged_writes_survive_kills_at_any_moment() {
    survive(2, 40, &[Moment::WhileFlushing, Moment::AtStart, Moment::UnderLoad, Moment::WhileDraining]);
}

/// Kills an installation that has `bug` until the checks find what gives it away, which has to be soon.
fn assert_found(bug: &str, seed: u64, moment: Moment, clue: &str) {
    /// Each kill finds a planted bug with a probability well over one in four.
    const MOST_KILLS: u64 = 20;
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (installation, mut writers) = writers(folder.path(), seed);
    let buggy = installation.with_bug(bug);
    let mut dice = operation::Dice::new(seed);
    for _ in 0..MOST_KILLS {
        let delay = Duration::from_micros(dice.roll(moment.longest_us()));
        work_until_killed(&buggy, &mut writers, moment, delay);
        let findings = findings(&buggy, &mut writers);
        if findings.iter().any(|finding| finding.contains(clue)) {
            return;
        }
    }
    panic!("the planted bug {bug} went unnoticed through {MOST_KILLS} kills: the checks are blind to it");
}

#[test]
fn the_check_finds_answers_that_are_given_before_the_commit() {
    assert_found("answer-before-commit", 3, Moment::UnderLoad, "is in the events as []");
}

#[test]
fn the_check_finds_counting_without_the_offset_guard() {
    assert_found("count-without-guard", 4, Moment::UnderLoad, r#""check":"aggregates""#);
}

#[test]
fn the_check_finds_positions_committed_before_the_archive_object() {
    assert_found("commit-before-put", 5, Moment::WhileFlushing, r#""check":"archive-chain""#);
}
