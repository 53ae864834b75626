//! What a run finds.

use std::path::PathBuf;
use std::time::Duration;

use souk_load::{FaultKind, LoadConfig, LoadError, Verdict, run};

use crate::fake::{Fake, Lacks, Layout, Markers, Misbehaviour};

/// A small shop of 12 products and 60 invoices, with returns and crossings.
fn transactions(folder: &tempfile::TempDir) -> PathBuf {
    let mut text = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,Country\n".to_owned();
    for invoice in 0..60 {
        for line in 0..1 + invoice % 5 {
            let quantity = if invoice % 7 == 6 { -3 } else { 1 + line };
            let code = (invoice * 5 + line * line) % 12;
            text += &format!("{invoice},{code}a,LAMP {code},{quantity},2010-12-01T08:26:00,2.55,UK\n");
        }
    }
    let path = folder.path().join("lines.csv");
    std::fs::write(&path, text).unwrap();
    path
}

async fn outcome(misbehaviour: Misbehaviour, change: impl FnOnce(&mut LoadConfig)) -> Verdict {
    let folder = tempfile::tempdir().unwrap();
    let mut config = LoadConfig { data: Some(transactions(&folder)), ..Fake::start(misbehaviour).await };
    change(&mut config);
    run(config).await.unwrap()
}

/// Runs while the last recent events are on their way, so that the archive has to stand in for them.
async fn outcome_with_trailing(layout: Layout) -> Verdict {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::start_with(Misbehaviour::TrailInRecent(50), layout).await;
    let verdict = run(LoadConfig { data: Some(transactions(&folder)), ..fake }).await.unwrap();
    assert!(verdict.proof.recent_behind > 0, "{verdict}");
    verdict
}

fn kinds(verdict: &Verdict) -> Vec<FaultKind> {
    verdict.faults.iter().map(|fault| fault.kind).collect()
}

#[tokio::test]
async fn the_sample_is_replayed_and_proved() {
    let config = Fake::start(Misbehaviour::None).await;
    let verdict = run(config).await.unwrap();
    assert!(verdict.holds() && !verdict.continued, "{verdict}");
    assert_eq!(verdict.adjustments, verdict.lines);
    assert_eq!(verdict.proof.writes_acknowledged, verdict.lines + verdict.products);
    let events = verdict.proof.writes_acknowledged + verdict.proof.crossings_expected;
    assert_eq!(verdict.proof.recent_events, events);
    assert_eq!(verdict.proof.archived_rows, events as u64);
    assert_eq!(verdict.stream.events, events as u64);
    assert!(verdict.proof.crossings_expected > 1_000, "every product that sells out crosses its threshold");
}

#[tokio::test]
async fn lines_go_one_by_one_when_asked_to() {
    let verdict = outcome(Misbehaviour::None, |config| config.lines_per_request = 1).await;
    assert!(verdict.holds(), "{verdict}");
    assert_eq!(verdict.requests, verdict.lines);
}

#[tokio::test]
async fn a_second_run_continues_the_shop() {
    let folder = tempfile::tempdir().unwrap();
    let config = LoadConfig { data: Some(transactions(&folder)), ..Fake::start(Misbehaviour::None).await };
    let first = run(config.clone()).await.unwrap();
    let second = run(config).await.unwrap();
    assert!(first.holds() && second.holds(), "{second}");
    assert!(!first.continued && second.continued);
    assert_eq!(second.products_found, first.products_created);
    assert!(second.products_restocked > 0 && second.to_string().contains("continues the shop"));
    assert_eq!(second.proof.writes_acknowledged, second.lines + second.products_restocked);
}

#[tokio::test]
async fn a_paced_run_measures_from_when_each_was_due() {
    let verdict = outcome(Misbehaviour::None, |config| config.rate = Some(2_000.0)).await;
    assert!(verdict.holds() && verdict.latency.from_due_time, "{verdict}");
}

#[tokio::test]
async fn cut_answers_and_refusals_for_overload_do_no_harm() {
    for misbehaviour in [Misbehaviour::CutAnswers(5), Misbehaviour::Overload(4)] {
        let verdict = outcome(misbehaviour, |_| {}).await;
        assert!(verdict.holds(), "{misbehaviour:?}: {verdict}");
        assert!(verdict.retries > 10, "{misbehaviour:?}: {verdict}");
    }
}

#[tokio::test]
async fn a_cut_stream_is_resumed_with_nothing_missed() {
    let verdict = outcome(Misbehaviour::CutStream(20), |_| {}).await;
    assert!(verdict.holds(), "{verdict}");
    assert!(verdict.stream.resumed >= 5, "{verdict}");
}

#[tokio::test]
async fn every_fault_turns_the_verdict_red() {
    use FaultKind::*;
    for (misbehaviour, expected) in [
        (Misbehaviour::LoseInStream(40), vec![LostInStream, ArchiveCount]),
        (Misbehaviour::DoubleInStream(40), vec![DoubledInStream]),
        (Misbehaviour::Gap(40), vec![StreamGap]),
        (Misbehaviour::LoseInRecent(40), vec![LostInRecent]),
        (Misbehaviour::DoubleInRecent(40), vec![DoubledInRecent]),
        (Misbehaviour::LoseInArchive, vec![ArchiveCount]),
        (Misbehaviour::BreakArchiveChain, vec![ArchiveChain]),
        (Misbehaviour::WrongStock, vec![StockDiffers]),
    ] {
        let verdict = outcome(misbehaviour, |_| {}).await;
        let found = kinds(&verdict);
        assert!(expected.iter().all(|kind| found.contains(kind)), "{misbehaviour:?}: {verdict}");
        assert!(verdict.to_string().contains("FAULTS FOUND"), "{misbehaviour:?}");
    }
}

#[tokio::test]
async fn recent_events_that_are_on_their_way_are_not_lost() {
    let shorter = |config: &mut LoadConfig| config.settle = Duration::from_millis(300);
    let verdict = outcome(Misbehaviour::TrailInRecent(50), shorter).await;
    assert!(verdict.holds() && verdict.proof.recent_behind > 0, "{verdict}");
    assert!(verdict.to_string().contains("more are on their way, and archived"), "{verdict}");
}

#[tokio::test]
async fn what_trails_in_recent_events_and_is_not_archived_either_is_missed() {
    for layout in [
        Layout { lacks: Lacks::Partition(1), ..Layout::default() },
        Layout { lacks: Lacks::Ends, ..Layout::default() },
        Layout { lacks: Lacks::Row, markers: Markers::After(60) },
    ] {
        let verdict = outcome_with_trailing(layout).await;
        assert_eq!(kinds(&verdict), [FaultKind::ArchiveCount], "{layout:?}: {verdict}");
    }
}

#[tokio::test]
async fn ids_that_move_several_partitions_at_once_are_told_apart() {
    // The event behind the markers is of a product that is known by then, or that later ones tell of.
    for event in [0, 1, 2, 60] {
        let layout = Layout { markers: Markers::After(event), ..Layout::default() };
        let verdict = outcome_with_trailing(layout).await;
        assert!(verdict.holds() && verdict.proof.archive_compared, "after event {event}: {verdict}");
    }
}

#[tokio::test]
async fn what_neither_recent_events_nor_the_archive_can_show_is_not_proven() {
    let layout = Layout { markers: Markers::Everywhere, ..Layout::default() };
    let verdict = outcome_with_trailing(layout).await;
    assert_eq!(kinds(&verdict), [FaultKind::NotProven], "{verdict}");
    assert!(verdict.to_string().contains("souk audit"), "it says what to do: {verdict}");

    // Where recent events have everything, the archive is not needed.
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::start_with(Misbehaviour::None, layout).await;
    let verdict = run(LoadConfig { data: Some(transactions(&folder)), ..fake }).await.unwrap();
    assert!(verdict.holds() && !verdict.proof.archive_compared, "{verdict}");
    assert!(verdict.to_string().contains("not compared"), "{verdict}");
}

#[tokio::test]
async fn an_api_that_serves_everything_is_all_that_has_to_be_named() {
    let verdict =
        outcome(Misbehaviour::None, |config| (config.stream, config.analytics) = (None, None)).await;
    assert!(verdict.holds(), "{verdict}");
}

#[tokio::test]
async fn a_server_that_forgets_its_keys_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let data = Some(transactions(&folder));
    let config = LoadConfig { data, ..Fake::start(Misbehaviour::ForgetKeys(9)).await };
    match run(config).await {
        Ok(verdict) => assert!(!verdict.holds(), "{verdict}"),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn nobody_there_is_an_error_that_names_the_url() {
    let config = LoadConfig { api: "http://127.0.0.1:1".to_owned(), ..LoadConfig::default() };
    let error = run(config).await.unwrap_err();
    assert!(matches!(error, LoadError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("http://127.0.0.1:1"), "{error}");
}

#[tokio::test]
async fn settings_out_of_range_are_named() {
    let config = LoadConfig { concurrency: 0, ..LoadConfig::default() };
    assert!(run(config).await.unwrap_err().to_string().contains("concurrency is 0"));
    let config = LoadConfig { rate: Some(-1.0), ..LoadConfig::default() };
    assert!(run(config).await.unwrap_err().to_string().contains("rate is -1"));
}
