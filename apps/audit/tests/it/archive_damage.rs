//! Damage to the archive: each is named.

use std::path::Path;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use souk_analytics::archive::{Contents, Span, encode, read_object};
use souk_audit::Check;
use souk_ports::LogRecord;

use crate::installation::Standing;

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[tokio::test]
async fn a_missing_object_breaks_the_chain() {
    let count = Standing::new().objects().len();
    for missing in 0..count {
        let standing = Standing::new();
        let objects = standing.objects();
        std::fs::remove_file(&objects[missing]).unwrap();
        // The object after it begins too late; after the last one the archive ends too early.
        let key = objects.get(missing + 1).map_or("partition 0", |next| name(next));
        let report = standing.assert_found(&[Check::ArchiveChain], key).await;
        assert_eq!(report.differences_total, 1, "the log stands in for it: {report}");
    }
}

#[tokio::test]
async fn a_missing_object_is_a_loss_once_the_log_is_trimmed() {
    let standing = Standing::new();
    standing.sql(&format!("DELETE FROM events WHERE \"offset\" < {}", standing.archive_end()));
    std::fs::remove_file(&standing.objects()[1]).unwrap();
    standing.assert_found(&[Check::Versions], "product").await;
    standing.assert_found(&[Check::ArchiveChain], name(&standing.objects()[1])).await;
    standing.assert_found(&[Check::Aggregates], "total").await;
}

#[tokio::test]
async fn a_truncated_object_cannot_be_read() {
    let standing = Standing::new();
    let object = &standing.objects()[1];
    let bytes = std::fs::read(object).unwrap();
    for length in [0, 4, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(object, &bytes[..length]).unwrap();
        standing.assert_found(&[Check::ArchiveObjects], name(object)).await;
    }
}

#[tokio::test]
async fn a_changed_byte_in_a_page_does_not_match_the_digest() {
    let standing = Standing::new();
    let object = &standing.objects()[2];
    let whole = std::fs::read(object).unwrap();
    // The event column is the last and by far the largest: its pages lie in the second half.
    for at in [whole.len() / 2, whole.len() * 5 / 8] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(object, &bytes).unwrap();
        standing.assert_found(&[Check::ArchiveObjects], name(object)).await;
    }
}

/// Reads an object, changes its records, and writes it back as a valid object.
async fn rewrite(standing: &Standing, index: usize, change: impl FnOnce(&mut Vec<LogRecord>, &mut Span)) {
    let path = &standing.objects()[index];
    let root = standing.folder.path().join("archive");
    let store = LocalFileSystem::new_with_prefix(&root).unwrap();
    let key = path.strip_prefix(&root).unwrap().to_str().unwrap();
    let Contents { object, events, partition } = read_object(&store, key).await.unwrap();
    let mut records: Vec<LogRecord> = events
        .into_iter()
        .map(|event| LogRecord {
            partition,
            offset: event.offset,
            appended_at: object.footer.created_at,
            payload: event.payload,
        })
        .collect();
    let footer = &object.footer;
    let mut span = Span {
        log: footer.log,
        partition,
        first_offset: footer.first_offset,
        next_offset: footer.next_offset,
        created_at: footer.created_at,
    };
    change(&mut records, &mut span);
    let bytes = encode(&records, &span).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_rewritten_event_differs_from_the_log() {
    let standing = Standing::new();
    rewrite(&standing, 1, |records, _| {
        let text = String::from_utf8(records[3].payload.to_vec()).unwrap();
        records[3].payload = Bytes::from(text.replace("\"price\":10.5", "\"price\":10.4"));
    })
    .await;
    let report = standing.assert_found(&[Check::ArchiveLog], name(&standing.objects()[1])).await;
    assert_eq!(report.differences_total, 1, "{report}");
}

#[tokio::test]
async fn an_event_left_out_of_an_object_is_named() {
    let standing = Standing::new();
    let mut left_out = 0;
    rewrite(&standing, 1, |records, _| left_out = records.remove(7).offset).await;
    let report = standing.assert_found(&[Check::ArchiveLog], &format!("offset 0/{left_out}")).await;
    assert_eq!(report.differences_total, 1, "{report}");
}

#[tokio::test]
async fn an_object_that_ends_elsewhere_breaks_the_chain() {
    let standing = Standing::new();
    rewrite(&standing, 1, |_, span| span.next_offset += 5).await;
    standing.assert_found(&[Check::ArchiveChain], name(&standing.objects()[2])).await;
}

#[tokio::test]
async fn an_object_under_another_key_is_not_what_it_says() {
    let standing = Standing::new();
    let objects = standing.objects();
    std::fs::copy(&objects[2], &objects[1]).unwrap();
    standing.assert_found(&[Check::ArchiveObjects], name(&objects[1])).await;
}

#[tokio::test]
async fn a_key_that_is_not_souks_is_named() {
    let standing = Standing::new();
    let object = &standing.objects()[0];
    std::fs::copy(object, object.with_file_name("copy.parquet")).unwrap();
    standing.assert_found(&[Check::ArchiveObjects], "copy.parquet").await;
}
