//! What one test has on the shared servers: names of its own, removed at its end as far as that goes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use souk_aws::{AwsConfig, AwsKeys};
use souk_conformance::eventually;
use souk_kafka::KafkaConfig;

use crate::bed::{Database, setting, unique};

/// Enough for events to be spread and for holes in every partition, few enough to be made a hundred times.
const PARTITIONS: i32 = 3;
/// The bucket of all tests; each has a folder of its own in it, since buckets cannot be removed with what they hold.
const BUCKET: &str = "souk-test";

/// The names of one test.
pub struct Names {
    pub database: Arc<Database>,
    pub kafka: KafkaConfig,
    pub aws: AwsConfig,
    /// The folder in the bucket.
    pub folder: String,
}

impl Names {
    /// Takes names that nothing has.
    pub async fn take(recent_retention: Duration) -> Arc<Self> {
        let name = unique("souk_test");
        let mut kafka = kafka();
        kafka.topic = name.clone();
        let aws = AwsConfig {
            region: Some(setting("AWS_REGION")),
            dynamo_endpoint: Some(setting("DYNAMO_ENDPOINT")),
            keys: Some(keys("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
            s3_endpoint: Some(setting("MINIO_ENDPOINT")),
            s3_keys: Some(keys("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY")),
            recent_table: format!("{name}_recent"),
            aggregates_table: format!("{name}_aggregates"),
            bucket: BUCKET.to_owned(),
            recent_retention,
            ..AwsConfig::default()
        };
        Arc::new(Self { database: Database::create_empty().await, kafka, aws, folder: name })
    }
}

impl Names {
    /// Returns an id for relays that nobody else's fence.
    pub fn transactional_id(&self) -> String {
        format!("{}-relay", self.folder)
    }

    /// Removes what each partition of the log holds before an offset.
    pub async fn expire(&self, before: &[u64]) {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in (0..).zip(before) {
            let offset = Offset::Offset(i64::try_from(*offset).unwrap());
            list.add_partition_offset(&self.kafka.topic, partition, offset).unwrap();
        }
        admin(&self.kafka).delete_records(&list, &AdminOptions::new()).await.unwrap();
    }
}

/// A log on the servers of the test, under a topic of its own.
pub fn kafka() -> KafkaConfig {
    let mut kafka = KafkaConfig::new(setting("KAFKA_BROKERS"), "souk-test");
    kafka.topic = unique("souk_test");
    kafka.partitions = PARTITIONS;
    kafka
}

fn keys(id: &str, secret: &str) -> AwsKeys {
    AwsKeys { id: setting(id), secret: setting(secret), token: None }
}

fn admin(kafka: &KafkaConfig) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", &kafka.brokers).create().unwrap()
}

/// Removes the topics of a log.
pub fn remove_topics(kafka: &KafkaConfig) {
    let kafka = kafka.clone();
    aside(async move {
        let topics = [kafka.topic.clone(), kafka.dead_letter_topic(), kafka.progress_topic()];
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        let _ = admin(&kafka).delete_topics(&topics, &AdminOptions::new()).await;
    });
}

/// Deletes the topic of a log's events and makes it anew: everything in it is gone.
pub async fn remake_topic(kafka: &KafkaConfig) {
    admin(kafka).delete_topics(&[&kafka.topic], &AdminOptions::new()).await.unwrap();
    eventually("the topic is made anew", || async {
        let new = NewTopic::new(&kafka.topic, kafka.partitions, TopicReplication::Fixed(1));
        let made = admin(kafka).create_topics(&[new], &AdminOptions::new()).await.unwrap();
        made.iter().all(Result::is_ok).then_some(())
    })
    .await;
}

/// Asks DynamoDB Local, which looks for a signature and does not verify it: no client is needed.
fn remove_tables(aws: &AwsConfig) {
    let Some(address) = aws.dynamo_endpoint.as_ref().and_then(|url| url.strip_prefix("http://")) else {
        return;
    };
    for table in [&aws.recent_table, &aws.aggregates_table] {
        let body = format!(r#"{{"TableName":"{table}"}}"#);
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Target: DynamoDB_20120810.DeleteTable\r\nConnection: close\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={}/20261122/us-east-1/dynamodb/aws4_request, \
             SignedHeaders=host, Signature=0\r\n\r\n{body}",
            body.len(),
            setting("AWS_ACCESS_KEY_ID"),
        );
        let Ok(mut stream) = TcpStream::connect(address.trim_end_matches('/')) else { return };
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

/// Does something to its end on a runtime of its own: that of the test may be going.
fn aside(work: impl Future<Output = ()> + Send + 'static) {
    let done = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    });
    // What cannot be removed is left to the servers' end.
    let _ = done.join();
}

impl Drop for Names {
    fn drop(&mut self) {
        remove_topics(&self.kafka);
        remove_tables(&self.aws);
    }
}
