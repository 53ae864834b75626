//! Rows about which somebody has to decide while both systems run: they are passed over, and their products stay.
//!
//! Where keys are no UUIDs, a product's id does not lead to its row: only who has read the row knows that it is there.

use souk_domain::EventType;

use crate::bed::Bed;
use crate::keys::NUMBERED;

async fn has(bed: &Bed, name: &str) -> bool {
    bed.products().await.values().any(|product| product.name.as_str() == name)
}

/// Nothing was deleted, or created anew, since there were `copied` events.
async fn only_changed(bed: &Bed, copied: usize) {
    let events = bed.events().await;
    let types: Vec<EventType> = events[copied..].iter().map(|event| event.event_type()).collect();
    let is_other = |event: &EventType| matches!(event, EventType::ProductCreated | EventType::ProductDeleted);
    assert!(!types.is_empty() && !types.iter().any(is_other), "{types:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_trigger_the_product_of_a_row_that_breaks_a_rule_stays() {
    let bed = Bed::new(NUMBERED).await;
    let mapping = bed.mapping("").await;
    let mut way = bed.way(&mapping);
    way.trigger = false;
    let work = async {
        bed.settled(&mapping).await;
        let copied = bed.events().await.len();
        // One comparison sees both, and deletes before it takes.
        bed.run("UPDATE goods SET price = -1 WHERE no = 3; UPDATE goods SET name = 'found' WHERE no = 4")
            .await;
        bed.named("found", true).await;
        assert!(has(&bed, "Product 3").await, "its product stays");
        bed.run("UPDATE goods SET price = 2, name = 'mended' WHERE no = 3").await;
        bed.named("mended", true).await;
        bed.settled(&mapping).await;
        copied
    };
    let (copied, ended) = Bed::follow_with(&way, work).await;
    ended.unwrap();
    only_changed(&bed, copied).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_product_of_a_refused_row_stays_when_everything_is_compared() {
    let bed = Bed::new(NUMBERED).await;
    let mapping = bed.mapping("").await;
    let comparisons = || bed.folder.record().unwrap().differences.unwrap_or_default().comparisons;
    let work = async {
        bed.settled(&mapping).await;
        let copied = bed.events().await.len();
        bed.run("UPDATE goods SET price = -1 WHERE no = 3").await;
        bed.recorded(|pace| pace.refused.contains_key("3")).await;
        // One that is under way may have seen the row as it was.
        let before = comparisons();
        bed.recorded(|_| comparisons() > before + 1).await;
        assert!(has(&bed, "Product 3").await, "its product stays");
        bed.run("UPDATE goods SET price = 2, name = 'mended' WHERE no = 3").await;
        bed.settled(&mapping).await;
        bed.recorded(|pace| pace.refused.is_empty()).await;
        copied
    };
    let (copied, ended) = bed.follow_while(&mapping, work).await;
    assert_eq!(ended.unwrap().differences.in_all, 0);
    only_changed(&bed, copied).await;
}
