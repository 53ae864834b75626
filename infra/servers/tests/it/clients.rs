//! Clients that these tests talk to the servers with: libraries where the workspace has one, else the plain protocol.

/// Opens a session; ends the test when it cannot.
pub async fn postgres(url: &str) -> tokio_postgres::Client {
    let (client, connection) =
        tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("Postgres takes sessions");
    tokio::spawn(async move {
        // A server that is killed ends its sessions: no news here.
        let _ = connection.await;
    });
    client
}

pub mod kafka {
    use std::time::Duration;

    use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
    use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

    const LIMIT: Duration = Duration::from_secs(30);

    fn config(brokers: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("group.id", "test");
        config
    }

    pub fn create_topic(brokers: &str, topic: &str) {
        let admin: AdminClient<_> = config(brokers).create().expect("the settings are right");
        let topics = [NewTopic::new(topic, 1, TopicReplication::Fixed(1))];
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let options = AdminOptions::new();
        let outcome = runtime.block_on(admin.create_topics(&topics, &options)).expect("Kafka answers");
        assert!(outcome.iter().all(Result::is_ok), "{outcome:?}");
    }

    pub fn send(brokers: &str, topic: &str, text: &str) {
        let producer: BaseProducer =
            config(brokers).set("acks", "all").create().expect("the settings are right");
        producer.send(BaseRecord::<(), str>::to(topic).payload(text)).expect("there is room");
        producer.flush(LIMIT).expect("Kafka takes it");
    }

    pub fn read_one(brokers: &str, topic: &str) -> String {
        let consumer: BaseConsumer = config(brokers).create().expect("the settings are right");
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(topic, 0, Offset::Beginning).expect("it is an offset");
        consumer.assign(&from).expect("it is assigned");
        let began = std::time::Instant::now();
        loop {
            assert!(began.elapsed() < LIMIT, "a record within {LIMIT:?}");
            // Errors while connections come back are no end.
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
                return String::from_utf8_lossy(message.payload().expect("it has one")).into_owned();
            }
        }
    }

    /// Returns the broker's port as a client hears it that asks at `port`: the answer to Metadata version 1.
    pub fn port_told_at(port: u16) -> i32 {
        use std::io::{Read as _, Write as _};

        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        stream.write_all(&[0, 0, 0, 15, 0, 3, 0, 1, 0, 0, 0, 7, 0, 1, b's', 0, 0, 0, 0]).expect("it reads");
        // Length, correlation, brokers: 1; its id; "127.0.0.1" behind its length; its port.
        let mut answer = [0; 4 + 4 + 4 + 4 + 2 + 9 + 4];
        stream.read_exact(&mut answer).expect("it answers");
        assert_eq!(&answer[18..27], b"127.0.0.1");
        i32::from_be_bytes(answer[27..].try_into().expect("four bytes"))
    }
}

pub mod dynamo {
    pub fn create_table(port: u16, table: &str) {
        let body = format!(
            "{{\"TableName\":\"{table}\",\"BillingMode\":\"PAY_PER_REQUEST\",\
             \"AttributeDefinitions\":[{{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"}}],\
             \"KeySchema\":[{{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"}}]}}"
        );
        let answer = call(port, "CreateTable", &body);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    pub fn has_table(port: u16, table: &str) -> bool {
        call(port, "ListTables", "{}").contains(&format!("\"{table}\""))
    }

    fn call(port: u16, operation: &str, body: &str) -> String {
        // DynamoDB Local wants a signature and does not check it.
        let headers = format!(
            "X-Amz-Target: DynamoDB_20120810.{operation}\r\nContent-Type: application/x-amz-json-1.0\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=fake/20261122/us-east-1/dynamodb/aws4_request, \
             SignedHeaders=host, Signature=0\r\n"
        );
        super::http(port, "POST", "/", &headers, body)
    }
}

pub mod minio {
    use sha2::{Digest as _, Sha256};

    /// Returns the status.
    pub fn put(port: u16, path: &str, body: &str) -> u16 {
        let answer = signed(port, "PUT", path, body);
        println!("PUT {path}: {answer}");
        answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
    }

    /// Returns the body.
    pub fn get(port: u16, path: &str) -> String {
        let answer = signed(port, "GET", path, "");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.split_once("\r\n\r\n").expect("head and body").1.to_owned()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 2104.
    fn hmac(key: &[u8], text: &str) -> Vec<u8> {
        let mut block = [0_u8; 64];
        block[..key.len()].copy_from_slice(key);
        let pad = |with: u8| block.map(|byte| byte ^ with);
        let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
        Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
    }

    /// "Signature Version 4" with the payload's digest left out.
    fn signed(port: u16, method: &str, path: &str, body: &str) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let (day, time) = date(now.as_secs());
        let at = format!("{day}T{time}Z");
        let scope = format!("{day}/us-east-1/s3/aws4_request");
        let payload = "UNSIGNED-PAYLOAD";
        let canonical = format!(
            "{method}\n{path}\n\nhost:127.0.0.1:{port}\nx-amz-content-sha256:{payload}\nx-amz-date:{at}\n\n\
             host;x-amz-content-sha256;x-amz-date\n{payload}"
        );
        let text = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let key = ["us-east-1", "s3", "aws4_request"]
            .iter()
            .fold(hmac(b"AWS4minio123", &day), |key, part| hmac(&key, part));
        let signature = hex(&hmac(&key, &text));
        let headers = format!(
            "x-amz-date: {at}\r\nx-amz-content-sha256: {payload}\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=minio/{scope}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, \
             Signature={signature}\r\n"
        );
        super::http(port, method, path, &headers, body)
    }

    /// Returns day and time as `20261122`, `231500`; days to date by Howard Hinnant's `civil_from_days`.
    fn date(seconds: u64) -> (String, String) {
        let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
        (format!("{year:04}{month:02}{day:02}"), format!("{hour:02}{minute:02}{second:02}"))
    }
}

fn http(port: u16, method: &str, path: &str, headers: &str, body: &str) -> String {
    use std::io::{Read as _, Write as _};

    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).expect("it is a time");
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    String::from_utf8_lossy(&answer).into_owned()
}
