use proptest::prelude::*;
use souk_events::LogId;

use super::*;

const PRODUCT: Uuid = Uuid::from_u128(7);

fn id(next: u64) -> String {
    Cursor { log: LogId(1), next: vec![next] }.to_string()
}

fn event(version: u64) -> String {
    let kind = if version == 1 { "ProductCreated" } else { "ProductUpdated" };
    format!(
        r#"{{"specversion":"1.0","id":"{}","source":"/souk/api","type":"{kind}","subject":"{PRODUCT}","time":"2026-11-22T18:00:00.123Z","datacontenttype":"application/json","sellerid":"s","data":{{"version":{version},"product":{{"name":"\"version\":9,\"type\":\"x"}}}}}}"#,
        Uuid::nil()
    )
}

fn feed(text: &str) -> Ledger {
    let mut ledger = Ledger::new();
    for frame in text.split("\n\n") {
        take_frame(&Frame::parse(frame.as_bytes()), &mut ledger);
    }
    ledger
}

fn kinds(mut ledger: Ledger) -> Vec<(FaultKind, u64)> {
    ledger.take_faults().into_iter().map(|fault| (fault.kind, fault.count)).collect()
}

#[test]
fn the_quick_way_reads_what_the_thorough_one_does() {
    for fixture in [
        include_str!("../../../../contract/events/fixtures/1-product-created.json"),
        include_str!("../../../../contract/events/fixtures/2-product-updated-sale.json"),
        include_str!("../../../../contract/events/fixtures/3-low-stock-warning.json"),
        include_str!("../../../../contract/events/fixtures/6-product-deleted.json"),
    ] {
        let envelope = Envelope::read(fixture.as_bytes()).unwrap();
        let expected = (envelope.subject.0, envelope.version.0, envelope.event_type);
        assert_eq!(quick(fixture.as_bytes()), Some(expected));
    }
    let spaced = r#"{"id":"00000000-0000-0000-0000-000000000001", "type": "ProductCreated", "subject": "00000000-0000-0000-0000-000000000007", "time":"2026-11-22T18:00:00.123Z", "sellerid":"s", "data": {"version": 3}}"#;
    assert_eq!(read_event(spaced.as_bytes()), Some((PRODUCT, 3, EventType::ProductCreated)));
    assert_eq!(read_event(b"{}"), None);
}

#[test]
fn takes_events_and_their_places() {
    let text = format!(
        "retry: 1500\n\nid: {}\nevent: ready\ndata: {{}}\n\n: heartbeat\n\nid: {}\ndata: {}\n\nid: {}\nevent: cursor\ndata:",
        id(4),
        id(5),
        event(1),
        id(9)
    );
    let ledger = feed(&text);
    assert_eq!(ledger.events, 1);
    assert_eq!(ledger.position.as_ref().unwrap().next, [9]);
    assert_eq!(ledger.offsets.as_ref().unwrap().count(0, 0, 100), 1);
    assert!(kinds(ledger).is_empty());
}

#[test]
fn a_gap_and_a_frame_that_is_no_event_are_faults() {
    let text =
        format!("id: {0}\nevent: gap\ndata: {{\"reason\":\"expired\"}}\n\nid: {0}\ndata: {{}}\n\n", id(4));
    let ledger = feed(&text);
    assert_eq!(kinds(ledger), [(FaultKind::StreamGap, 1), (FaultKind::UnreadableFrame, 1)]);
}

#[test]
fn a_doubled_frame_of_a_strange_product_is_a_fault() {
    let mut ledger = Ledger::new();
    ledger.seal();
    let frames =
        [format!("id: {}\nevent: ready\ndata: {{}}", id(4)), format!("id: {}\ndata: {}", id(5), event(1))];
    for frame in [&frames[0], &frames[1], &frames[1]] {
        take_frame(&Frame::parse(frame.as_bytes()), &mut ledger);
    }
    assert_eq!(kinds(ledger), [(FaultKind::DoubledInStream, 1)]);
}

proptest! {
    #[test]
    fn never_panics_on_made_up_frames(frame in proptest::collection::vec(any::<u8>(), 0..300)) {
        take_frame(&Frame::parse(&frame), &mut Ledger::new());
    }
}
