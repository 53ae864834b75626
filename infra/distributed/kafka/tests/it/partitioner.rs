//! Keys go where Java's clients put them.

use bytes::Bytes;
use souk_kafka::Outgoing;

use crate::support::{Topic, everything, id};

/// `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(data: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let mix = |k: u32| {
        let k = k.wrapping_mul(M);
        (k ^ (k >> 24)).wrapping_mul(M)
    };
    let mut h = 0x9747_b28c_u32 ^ u32::try_from(data.len()).unwrap();
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        h = h.wrapping_mul(M) ^ mix(u32::from_le_bytes(chunk.try_into().unwrap()));
    }
    let rest = chunks.remainder();
    for (index, byte) in rest.iter().enumerate() {
        h ^= u32::from(*byte) << (8 * index);
    }
    if !rest.is_empty() {
        h = h.wrapping_mul(M);
    }
    h = (h ^ (h >> 13)).wrapping_mul(M);
    (h ^ (h >> 15)).cast_signed()
}

#[test]
fn our_murmur2_is_javas() {
    // From Kafka's own UtilsTest.
    for (text, hash) in [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ] {
        assert_eq!(murmur2(text.as_bytes()), hash, "{text}");
    }
}

#[tokio::test]
async fn products_are_in_the_partition_where_javas_clients_look_for_them() {
    let topic = Topic::new(12).await;
    let batch: Vec<_> =
        (0..300).map(|n| Outgoing { key: id(n), payload: Bytes::from(id(n).to_string()) }).collect();
    topic.producer().await.publish(batch, Bytes::from_static(b"p")).await.unwrap();
    let records = everything(&topic.log().await).await;
    assert_eq!(records.len(), 300);
    for record in records {
        let expected = (murmur2(&record.payload) & 0x7fff_ffff) % 12;
        assert_eq!(i32::try_from(record.partition).unwrap(), expected);
    }
}
