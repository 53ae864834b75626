//! Objects are made once and stay as they are.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use crate::{Dice, Fixture, Shop, within};

async fn create(archive: &dyn ObjectStore, path: &Path, bytes: Bytes) -> Result<(), Error> {
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    archive.put_opts(path, PutPayload::from_bytes(bytes), options).await.map(drop)
}

async fn read(archive: &dyn ObjectStore, path: &Path) -> Bytes {
    archive.get(path).await.unwrap().bytes().await.unwrap()
}

fn path(name: &str) -> Path {
    Path::from(format!("product-events/log=x/date=2026-11-22/hour=18/p=00000/{name}"))
}

/// Whoever comes second is told that the object exists, and changes nothing.
pub async fn an_object_is_never_overwritten<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let (archive, path) = (shop.fixture.archive(), path("o=1.parquet"));
    create(&*archive, &path, Bytes::from_static(b"first")).await.unwrap();
    for later in [&b"second"[..], b"first", b""] {
        let refused = create(&*archive, &path, Bytes::from_static(later)).await;
        assert!(matches!(refused, Err(Error::AlreadyExists { .. })), "{refused:?}");
        assert_eq!(read(&*archive, &path).await, &b"first"[..]);
    }
    drop(archive);
    let shop = shop.crash().await;
    let archive = shop.fixture.archive();
    let refused = create(&*archive, &path, Bytes::from_static(b"third")).await;
    assert!(matches!(refused, Err(Error::AlreadyExists { .. })), "{refused:?}");
    assert_eq!(read(&*archive, &path).await, &b"first"[..]);
}

/// Of writers that race for a key, one makes the object, whole.
pub async fn one_of_many_concurrent_creators_makes_the_object<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    for round in 0..5 {
        let path = path(&format!("o={round}.parquet"));
        let mut writers = Vec::new();
        for writer in 0_u8..16 {
            let (archive, path) = (shop.fixture.archive(), path.clone());
            writers.push(tokio::spawn(async move {
                create(&*archive, &path, Bytes::from(vec![writer; 50_000])).await.map(|()| writer)
            }));
        }
        let mut made = Vec::new();
        for writer in writers {
            match within("a writer", writer).await.unwrap() {
                Ok(writer) => made.push(writer),
                Err(Error::AlreadyExists { .. }) => {}
                Err(other) => panic!("expected an object or a refusal, got {other:?}"),
            }
        }
        assert_eq!(made.len(), 1);
        assert_eq!(read(&*shop.fixture.archive(), &path).await, vec![made[0]; 50_000]);
    }
}

/// What a crashed writer put, whose place nobody noted, can be adopted: the next one's create is refused, and at once it
/// can read what is there, from the end on as a Parquet file is, and finds it listed once.
pub async fn an_object_of_a_crashed_writer_can_be_adopted<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let (name, put) = (path("o=7.parquet"), Bytes::from(vec![b'a'; 70_000]));
    create(&*shop.fixture.archive(), &name, put.clone()).await.unwrap();
    let shop = shop.crash().await;
    // The same again, and what more or less had come by then would have made.
    for again in [put.clone(), Bytes::from(vec![b'b'; 90_000]), Bytes::from_static(b"b")] {
        let archive = shop.fixture.archive();
        let refused = create(&*archive, &name, again).await;
        assert!(matches!(refused, Err(Error::AlreadyExists { .. })), "{refused:?}");
        let size = archive.head(&name).await.unwrap().size;
        assert_eq!(size, put.len() as u64);
        assert_eq!(archive.get_range(&name, size - 8..size).await.unwrap(), put[put.len() - 8..]);
        assert_eq!(read(&*archive, &name).await, put);
        let listed: Vec<_> = archive.list(Some(&Path::from("product-events"))).try_collect().await.unwrap();
        assert_eq!(listed.iter().map(|object| &object.location).collect::<Vec<_>>(), [&name]);
    }
}

/// What was put is there after a crash, to the byte.
pub async fn an_object_survives_a_reopen_byte_for_byte<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let mut dice = Dice::new(7);
    let bytes: Bytes = (0..3_000_000).map(|_| u8::try_from(dice.roll(256)).unwrap()).collect();
    let archive: Arc<dyn ObjectStore> = shop.fixture.archive();
    create(&*archive, &path("large"), bytes.clone()).await.unwrap();
    create(&*archive, &path("empty"), Bytes::new()).await.unwrap();
    drop(archive);
    let shop = shop.crash().await;
    let archive = shop.fixture.archive();
    assert!(read(&*archive, &path("large")).await == bytes);
    assert!(read(&*archive, &path("empty")).await.is_empty());
    assert!(matches!(archive.get(&path("absent")).await, Err(Error::NotFound { .. })));
}

/// Listing finds what lies under a prefix with its size; ranges read parts, as Parquet footers want.
pub async fn objects_are_listed_by_prefix_and_read_by_range<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let archive = shop.fixture.archive();
    for n in 0..10_usize {
        let folder = if n % 2 == 0 { "even" } else { "odd" };
        let path = Path::from(format!("{folder}/date={n}/o={n:020}.parquet"));
        create(&*archive, &path, Bytes::from(vec![b'x'; n])).await.unwrap();
    }
    let mut listed: Vec<_> = archive.list(Some(&Path::from("odd"))).try_collect().await.unwrap();
    listed.sort_by(|a, b| a.location.cmp(&b.location));
    assert_eq!(listed.iter().map(|object| object.size).collect::<Vec<_>>(), [1, 3, 5, 7, 9]);
    assert!(listed.iter().all(|object| object.location.as_ref().starts_with("odd/date=")));
    let path = Path::from("ranges");
    create(&*archive, &path, Bytes::from_static(b"0123456789")).await.unwrap();
    assert_eq!(archive.get_range(&path, 6..10).await.unwrap(), &b"6789"[..]);
}
