//! What is lost is said, with the reason, and nothing else is.

use proptest::prelude::*;
use souk_events::{Cursor, LogId};

use crate::testing::{FakeLog, Instance, Place, assert_exactly};

async fn filled(count: u64) -> (FakeLog, Instance, Vec<Place>) {
    let log = FakeLog::new(7, 2);
    let all = (0..count).map(|n| log.append((n % 2) as u32, "a", "ProductUpdated")).collect();
    let instance = Instance::with_ring(&log, 1 << 20).await;
    (log, instance, all)
}

fn id(log: u64, next: &[u64]) -> String {
    Cursor { log: LogId(log), next: next.to_vec() }.to_string()
}

#[tokio::test]
async fn an_expired_id_goes_on_at_the_oldest_held() {
    let (log, instance, all) = filled(40).await;
    log.trim(0, 10);
    let asked = id(7, &[5, 12]);
    let mut client = instance.open("", Some(&asked)).await;
    let expected: Vec<Place> =
        all.iter().filter(|(p, o)| *p == 0 && *o >= 10 || *p == 1 && *o >= 12).copied().collect();
    client.events(expected.len()).await;
    assert_exactly(&client.places(), &expected);
    assert_eq!(client.gaps(), [("expired".into(), asked.clone(), id(7, &[10, 12]))]);
    assert_eq!(client.got[0].id, asked, "until it was told of the gap, the client keeps its id");
}

#[tokio::test]
async fn an_id_at_the_oldest_held_has_lost_nothing() {
    let (log, instance, all) = filled(40).await;
    log.trim(0, 10);
    let mut client = instance.open("", Some(&id(7, &[10, 0]))).await;
    client.events(30).await;
    assert_eq!(client.gaps(), []);
    assert_exactly(
        &client.places(),
        &all.into_iter().filter(|(p, o)| *p == 1 || *o >= 10).collect::<Vec<_>>(),
    );
}

#[tokio::test]
async fn ids_that_cannot_be_resumed_go_on_from_now() {
    let (log, instance, _) = filled(40).await;
    for (reason, asked) in [
        ("unknown-log", id(8, &[5, 5])),
        ("ahead", id(7, &[1000, 5])),
        ("ahead", id(7, &[5, 5, 0])),
        ("invalid-id", "1234".into()),
        ("invalid-id", "x".repeat(200)),
        ("invalid-id", "-1".into()),
    ] {
        let mut client = instance.open("", Some(&asked)).await;
        client.now();
        let now = instance.head();
        assert_eq!(client.gaps(), [(reason.to_owned(), asked.clone(), now)]);
        assert_eq!(client.got[0].name, "ready");
        let next = log.append(0, "a", "ProductUpdated");
        client.events(1).await;
        assert_eq!(client.places(), [next]);
    }
}

#[tokio::test]
async fn no_id_that_is_sent_is_longer_than_browsers_send_back_unasked() {
    let (_log, instance, _) = filled(1).await;
    for asked in [id(8, &[1 << 34; 40]), id(7, &[1 << 34; 40])] {
        assert!(asked.len() > 128);
        let mut client = instance.open("", Some(&asked)).await;
        client.now();
        assert_eq!(client.gaps().len(), 1);
        assert!(client.got.iter().all(|event| event.id == instance.head()), "{:?}", client.got);
    }
}

#[tokio::test]
async fn an_id_that_is_no_text_is_invalid() {
    let (_log, instance, _) = filled(1).await;
    let mut client = instance.open("lastEventId=a%0Ab%00", None).await;
    client.now();
    assert_eq!(client.gaps()[0].1, "a\nb\0");
}

#[tokio::test]
async fn a_reader_that_falls_off_the_log_is_too_slow() {
    let log = FakeLog::new(7, 1);
    let instance = Instance::with_ring(&log, 20_000).await;
    let mut client = instance.open("", None).await;
    client.now();
    for _ in 0..300 {
        log.append(0, "a", "ProductUpdated");
    }
    instance.caught_up().await;
    log.trim(0, 120);
    client.events(180).await;
    let expected: Vec<Place> = (120..300).map(|offset| (0, offset)).collect();
    assert_exactly(&client.places(), &expected);
    assert_eq!(client.gaps(), [("too-slow".into(), id(7, &[0]), id(7, &[120]))]);
}

/// Nobody is spared: not who waits at the head, nor whose filter takes nothing of what is lost, nor who comes after.
#[tokio::test]
async fn what_the_log_let_go_before_it_was_read_is_a_gap_for_every_reader() {
    let log = FakeLog::new(7, 2);
    let instance = Instance::with_ring(&log, 1 << 20).await;
    let mut all = instance.open("", None).await;
    let mut few = instance.open("sellerId=b", None).await;
    let mut places = vec![log.append(0, "a", "ProductUpdated"), log.append(1, "b", "ProductUpdated")];
    all.events(2).await;
    few.events(1).await;
    log.fail(u32::MAX);
    instance.until(|instance| instance.hub.metrics.pump_failures.get() > 0).await;
    let mut missed: Vec<Place> = (0..10).map(|_| log.append(0, "a", "ProductUpdated")).collect();
    log.trim(0, 8);
    log.fail(0);
    let after = log.append(1, "b", "ProductUpdated");
    places.extend(missed.split_off(7));
    places.push(after);
    all.events(6).await;
    few.events(2).await;
    let mut got = all.places();
    got.sort_unstable();
    places.sort_unstable();
    assert_eq!(got, places);
    for client in [&all, &few] {
        let gaps = client.gaps();
        assert_eq!(gaps.len(), 1, "{gaps:?} of {:?}", client.places());
        assert_eq!(
            (gaps[0].0.as_str(), &gaps[0].1, &gaps[0].2),
            ("too-slow", &id(7, &[1, 1]), &id(7, &[8, 1]))
        );
    }
    let mut late = instance.open("", Some(&id(7, &[1, 1]))).await;
    late.events(4).await;
    assert_eq!(late.gaps(), [("expired".into(), id(7, &[1, 1]), id(7, &[8, 1]))]);
}

#[tokio::test]
async fn what_the_ring_still_holds_is_not_lost() {
    let log = FakeLog::new(7, 1);
    let instance = Instance::with_ring(&log, 1 << 20).await;
    let mut client = instance.open("", None).await;
    client.now();
    for _ in 0..100 {
        log.append(0, "a", "ProductUpdated");
    }
    instance.caught_up().await;
    log.trim(0, 100);
    client.events(100).await;
    let mut late = instance.open("", Some(&id(7, &[20]))).await;
    late.events(80).await;
    assert_eq!((client.gaps(), late.gaps()), (vec![], vec![]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn made_up_ids_never_break_a_stream(
        text in prop_oneof![
            "\\PC{0,300}",
            "[A-Za-z0-9_-]{11}\\.[A-Za-z0-9_-]{0,60}",
            proptest::collection::vec(0_u64..50, 0..6).prop_map(|next| id(7, &next)),
            any::<(u64, u64)>().prop_map(|(log, next)| id(log, &[next >> 2, 3])),
        ],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (log, instance, all) = filled(40).await;
            log.trim(1, 4);
            let mut client = instance.open("", Some(&text)).await;
            let next = log.append(1, "a", "ProductUpdated");
            client.until(|client| client.places().contains(&next)).await;
            // Whatever it was: no event twice, none out of order, and a loss is said.
            let places = client.places();
            let from_cursor = text.parse::<Cursor>().ok().filter(|_| client.gaps().is_empty());
            let expected: Vec<Place> = match from_cursor {
                Some(cursor) => all.iter().chain([&next])
                    .filter(|(p, o)| *o >= cursor.next.get(*p as usize).copied().unwrap_or(0))
                    .copied().collect(),
                None if client.gaps().first().is_some_and(|gap| gap.0 == "expired") => {
                    let to: Cursor = client.gaps()[0].2.parse().unwrap();
                    all.iter().chain([&next]).filter(|(p, o)| *o >= to.next[*p as usize]).copied().collect()
                }
                None => vec![next],
            };
            assert_exactly(&places, &expected);
        });
    }
}
