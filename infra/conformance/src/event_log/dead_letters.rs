//! What cannot be read is set aside.

use souk_ports::DeadLetter;

use crate::{Fixture, Shop, eventually};

/// A record set aside is told of with its place and the reason, also after a crash; the log itself stays as it is.
pub async fn a_record_set_aside_is_told_with_its_place_and_reason<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let logged = shop.with_events(2, 6).await;
    assert_eq!(shop.log.dead_letters(10).await.unwrap(), []);
    let records = [&logged[1].record, &logged[4].record];
    for (record, reason) in records.iter().zip(["no event", "not even caf\u{e9}"]) {
        shop.log.dead_letter(record, reason).await.unwrap();
        // A consumer that died before it went on does it again.
        shop.log.dead_letter(record, reason).await.unwrap();
    }
    let shop = shop.crash().await;
    let wanted: Vec<DeadLetter> = records
        .iter()
        .zip(["no event", "not even caf\u{e9}"])
        .map(|(record, reason)| DeadLetter {
            partition: record.partition,
            offset: record.offset,
            reason: reason.to_owned(),
        })
        .collect();
    eventually("both records to be told of", || async {
        let told = shop.log.dead_letters(10).await.unwrap();
        assert!(told.iter().all(|letter| wanted.contains(letter)), "{told:?}");
        wanted.iter().all(|letter| told.contains(letter)).then_some(())
    })
    .await;
    assert_eq!(shop.log.dead_letters(1).await.unwrap().len(), 1);
    assert!(shop.records().await.contains(records[0]), "the log holds it still");
}
