//! A broker that wants TLS, a user and a password.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder};
use souk_kafka::{
    ConnectError, KafkaEventLog, Security, SecuritySettings, TransactionalProducer, ensure_topics,
};
use souk_servers::{Kind, Options, Scratch, Server};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{events, everything, unmade};

/// Begins a certificate for `name` that is good for a day.
fn certificate(name: &str, serial: u32, key: &PKey<Private>, issuer: &X509Name) -> X509Builder {
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(serial).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&named(name)).unwrap();
    builder.set_issuer_name(issuer).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder
}

fn named(name: &str) -> X509Name {
    let mut builder = X509NameBuilder::new().unwrap();
    builder.append_entry_by_text("CN", name).unwrap();
    builder.build()
}

/// Writes an authority's certificate, and a broker's with its key; returns where they are.
fn certificates(folder: &Path) -> (PathBuf, PathBuf) {
    let key = || PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let (authority_key, broker_key) = (key(), key());
    let issuer = named("test authority");
    let mut authority = certificate("test authority", 1, &authority_key, &issuer);
    authority.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    authority.sign(&authority_key, MessageDigest::sha256()).unwrap();
    let authority = authority.build();
    let mut broker = certificate("broker", 2, &broker_key, &issuer);
    let names =
        SubjectAlternativeName::new().ip("127.0.0.1").build(&broker.x509v3_context(Some(&authority), None));
    broker.append_extension(names.unwrap()).unwrap();
    broker.sign(&authority_key, MessageDigest::sha256()).unwrap();
    let (ca, store) = (folder.join("ca.pem"), folder.join("broker.pem"));
    std::fs::write(&ca, authority.to_pem().unwrap()).unwrap();
    let mut both = broker_key.private_key_to_pem_pkcs8().unwrap();
    both.extend(broker.build().to_pem().unwrap());
    std::fs::write(&store, both).unwrap();
    (ca, store)
}

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
