//! The bucket, and what is tried before it is used.

use object_store::memory::InMemory;
use souk_aws::{ConnectError, CreateOnlyError, archive, check_create_only, existing_archive};
use souk_conformance::planted::{Lie as _, Overwrites};

use crate::support::Place;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bucket_is_made_by_whoever_comes_first() {
    let place = Place::new();
    let absent = existing_archive(&place.config).await.map(drop);
    assert!(
        matches!(&absent, Err(ConnectError::Refused(why)) if why.contains("ARCHIVE_BUCKET_NAME")),
        "{absent:?}"
    );
    let (one, other) = tokio::join!(archive(&place.config), archive(&place.config));
    for store in [one.unwrap(), other.unwrap(), existing_archive(&place.config).await.unwrap()] {
        check_create_only(&*store).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_overwrites_is_refused() {
    let lying = Overwrites::archive(std::sync::Arc::new(InMemory::new()));
    // Each time, also when the object is there.
    for _ in 0..2 {
        let result = check_create_only(&*lying).await;
        assert!(matches!(result, Err(CreateOnlyError::Overwrites)), "{result:?}");
    }
    check_create_only(&InMemory::new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_keys_are_refused_and_a_lost_server_is_not() {
    let mut place = Place::new();
    let keys = place.config.s3_keys.clone();
    place.config.s3_keys.as_mut().unwrap().secret = "wrong-secret-key".to_owned();
    let result = archive(&place.config).await.map(drop);
    assert!(
        matches!(&result, Err(ConnectError::Refused(why)) if why.contains("MINIO_SECRET_KEY") && !why.contains("wrong-secret-key")),
        "{result:?}"
    );
    place.config.s3_keys = keys;
    let good = place.config.s3_endpoint.replace("http://127.0.0.1:1".to_owned());
    let result = archive(&place.config).await.map(drop);
    assert!(
        matches!(&result, Err(ConnectError::Unreachable(why)) if why.contains("127.0.0.1:1")),
        "{result:?}"
    );
    place.config.s3_endpoint = good;
}
