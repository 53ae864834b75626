//! A broker that wants TLS, a user and a password.

use std::path::Path;

use bytes::Bytes;
use souk_kafka::{
    ConnectError, KafkaEventLog, Security, SecuritySettings, TransactionalProducer, ensure_topics,
};
use souk_servers::{Kind, Options, Scratch, Server};
use tokio::net::{TcpListener, TcpStream};

use crate::certificates::certificates;
use crate::support::{events, everything, unmade};

/// Starts a broker whose second listener wants TLS, a user and a password; returns that listener's address.
async fn start(scratch: &Scratch, store: &Path) -> (Server, String) {
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let told = door.local_addr().unwrap();
    let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let settings = vec![
        setting(
            "listener.security.protocol.map",
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,BEHIND0:SASL_SSL",
        ),
        setting("sasl.enabled.mechanisms", "PLAIN"),
        setting("ssl.keystore.type", "PEM"),
        setting("ssl.keystore.location", store.to_str().unwrap()),
        setting(
            "listener.name.behind0.plain.sasl.jaas.config",
            "org.apache.kafka.common.security.plain.PlainLoginModule required user_souk=\"right\";",
        ),
    ];
    let folder = scratch.folder("kafka");
    let server = tokio::task::spawn_blocking(move || {
        Server::start(
            Kind::Kafka,
            folder,
            Options { advertise: vec![told.port()], settings, ..Options::default() },
        )
    });
    let server = server.await.unwrap().unwrap();
    let behind = server.behind_proxy()[0];
    tokio::spawn(async move {
        while let Ok((mut client, _)) = door.accept().await {
            tokio::spawn(async move {
                let mut broker = TcpStream::connect(("127.0.0.1", behind)).await?;
                tokio::io::copy_bidirectional(&mut client, &mut broker).await
            });
        }
    });
    (server, told.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_and_a_password_let_in_whom_they_should() {
    let scratch = Scratch::new("kafka-secure").unwrap();
    let (ca, store) = certificates(scratch.path());
    let (_server, address) = start(&scratch, &store).await;
    let with = |password, ca: Option<&Path>| {
        let security = SecuritySettings {
            protocol: Some("SASL_SSL"),
            mechanism: Some("PLAIN"),
            username: Some("souk"),
            password: Some(password),
            ca_file: ca,
        };
        let mut config = unmade();
        config.brokers.clone_from(&address);
        config.security = Security::from_settings(security).unwrap();
        config
    };
    let config = with("right", Some(&ca));
    ensure_topics(&config).await.unwrap();
    let mut producer = TransactionalProducer::start(&config, "secure").await.unwrap();
    producer.publish(events(0..10), Bytes::from_static(b"p")).await.unwrap();
    let log = KafkaEventLog::connect(config).await.unwrap();
    assert_eq!(everything(&log).await.len(), 10);

    let refused = KafkaEventLog::connect(with("wrong", Some(&ca))).await.err().unwrap();
    assert!(matches!(refused, ConnectError::Refused(_)), "{refused:?}");
    assert!(refused.to_string().to_lowercase().contains("authentication"), "{refused}");
    assert!(!refused.to_string().contains("wrong"), "{refused}");
    // An authority that nobody knows.
    let refused = ensure_topics(&with("right", None)).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Refused(_)), "{refused:?}");
    assert!(refused.to_string().contains("certificate"), "{refused}");
}
