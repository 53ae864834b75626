use super::*;

fn product(version: u64, stock: i64) -> ProductAnswer {
    ProductAnswer {
        id: Uuid::from_u128(7),
        stock,
        low_stock: stock < 5,
        version,
        updated_at: Timestamp::from_millis(1_000 + i64::try_from(version).unwrap()),
    }
}

fn sold(version: u64, from: i64, to: i64) -> AdjustmentAnswer {
    AdjustmentAnswer { product: product(version, to), previous_stock: from }
}

/// A product created with 10 pieces, of which 4 and 3 are sold (a crossing), then 8 come back (another one).
fn written() -> (Ledger, Vec<(u64, EventType)>) {
    let mut ledger = Ledger::new();
    let number = ledger.open(&product(1, 10), true);
    ledger.seal();
    ledger.adjusted(number, -4, &sold(2, 10, 6));
    ledger.adjusted(number, -3, &sold(3, 6, 3));
    ledger.adjusted(number, 8, &sold(4, 3, 11));
    let events = vec![
        (1, EventType::ProductCreated),
        (2, EventType::ProductUpdated),
        (3, EventType::ProductUpdated),
        (3, EventType::LowStockWarning),
        (4, EventType::ProductUpdated),
        (4, EventType::StockReplenished),
    ];
    (ledger, events)
}

fn faults(mut ledger: Ledger, events: &[(u64, EventType)]) -> Vec<(FaultKind, u64)> {
    for source in [Source::Stream, Source::Recent] {
        for (version, kind) in events {
            ledger.observe(source, Uuid::from_u128(7), *version, *kind);
        }
    }
    ledger.settle(None, true);
    ledger.take_faults().into_iter().map(|fault| (fault.kind, fault.count)).collect()
}

#[test]
fn every_write_seen_once_is_no_fault() {
    let (ledger, events) = written();
    assert_eq!((ledger.acknowledged(), ledger.crossings()), (4, 2));
    assert_eq!(ledger.outstanding(Source::Stream), 6);
    assert_eq!(faults(ledger, &events), []);
}

#[test]
fn each_lost_event_is_noticed() {
    for lost in 0..6 {
        let (ledger, mut events) = written();
        events.remove(lost);
        assert_eq!(faults(ledger, &events), [(FaultKind::LostInStream, 1), (FaultKind::LostInRecent, 1)]);
    }
}

#[test]
fn each_doubled_event_is_noticed() {
    for doubled in 0..6 {
        let (ledger, mut events) = written();
        events.push(events[doubled]);
        assert_eq!(
            faults(ledger, &events),
            [(FaultKind::DoubledInStream, 1), (FaultKind::DoubledInRecent, 1)]
        );
    }
}

#[test]
fn an_event_that_nobody_acknowledged_is_noticed() {
    let (ledger, mut events) = written();
    events.push((5, EventType::ProductUpdated));
    assert_eq!(faults(ledger, &events), [(FaultKind::NeverAcknowledged, 1)]);
    let (ledger, mut events) = written();
    events.push((2, EventType::LowStockWarning));
    assert_eq!(faults(ledger, &events), [(FaultKind::NeverAcknowledged, 1)]);
}

#[test]
fn an_event_of_the_wrong_type_is_noticed() {
    let (ledger, mut events) = written();
    events[1].1 = EventType::ProductDeleted;
    assert_eq!(faults(ledger, &events), [(FaultKind::WrongType, 2)]);
}

#[test]
fn an_answer_that_skips_a_version_or_a_piece_is_noticed() {
    for answer in [sold(3, 10, 6), sold(2, 10, 7), sold(2, 9, 6)] {
        let mut ledger = Ledger::new();
        let number = ledger.open(&product(1, 10), true);
        ledger.adjusted(number, -4, &answer);
        assert_eq!(ledger.take_faults()[0].kind, FaultKind::AnswerDiffers);
    }
}

#[test]
fn events_that_come_before_their_answer_count() {
    let mut ledger = Ledger::new();
    ledger.observe(Source::Stream, Uuid::from_u128(7), 1, EventType::ProductCreated);
    ledger.observe(Source::Stream, Uuid::from_u128(8), 1, EventType::ProductCreated);
    ledger.open(&product(1, 10), true);
    ledger.seal();
    assert_eq!(ledger.outstanding(Source::Stream), 0);
    assert!(!ledger.observe(Source::Stream, Uuid::from_u128(8), 2, EventType::ProductUpdated));
}

#[test]
fn a_product_found_counts_from_its_next_version() {
    let mut ledger = Ledger::new();
    let number = ledger.open(&product(9, 4), false);
    ledger.seal();
    assert_eq!(ledger.acknowledged(), 0);
    ledger.observe(Source::Recent, Uuid::from_u128(7), 9, EventType::ProductUpdated);
    ledger.adjusted(number, 6, &sold(10, 4, 10));
    assert_eq!((ledger.acknowledged(), ledger.crossings()), (1, 1));
    assert_eq!(faults(ledger, &[(10, EventType::ProductUpdated), (10, EventType::StockReplenished)]), []);
}

#[test]
fn what_has_left_the_recent_events_is_not_lost_there() {
    let (mut ledger, events) = written();
    for (version, kind) in &events {
        ledger.observe(Source::Stream, Uuid::from_u128(7), *version, *kind);
    }
    for (version, kind) in events.iter().filter(|(version, _)| *version >= 3) {
        ledger.observe(Source::Recent, Uuid::from_u128(7), *version, *kind);
    }
    ledger.settle(Some(Timestamp::from_millis(1_003)), true);
    assert!(ledger.take_faults().is_empty());
    ledger.settle(Some(Timestamp::from_millis(1_003)), false);
    let faults = ledger.take_faults();
    assert_eq!((faults.len(), faults[0].kind, faults[0].count), (1, FaultKind::NotProven, 2));
    assert!(faults[0].examples[0].contains("souk audit"), "it says what to do: {faults:?}");
}

#[test]
fn examples_are_few_and_counts_are_whole() {
    let mut ledger = Ledger::new();
    (0..100).for_each(|n| ledger.fault(FaultKind::Refused, || n.to_string()));
    let faults = ledger.take_faults();
    assert_eq!((faults[0].count, faults[0].examples.len()), (100, EXAMPLES));
}
