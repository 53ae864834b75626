//! What a server took before it was killed is there after it came back; and the check notices when it is not.

use souk_servers::{Kind, Options, Scratch, Server};

use crate::clients::{dynamo, kafka, minio, postgres};

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_its_data_through_a_kill() {
    let scratch = Scratch::new("postgres").expect("a folder");
    let mut server =
        Server::start(Kind::Postgres, scratch.folder("server"), Options::default()).expect("it starts");
    let port = server.port();
    let env = server.env();
    assert_eq!(env, [("DATABASE_URL", format!("postgresql://postgres:password@127.0.0.1:{port}/app"))]);
    postgres(&env[0].1)
        .await
        .batch_execute("CREATE TABLE kept AS SELECT 42 AS answer")
        .await
        .expect("it is written");
    server.kill();
    assert!(!server.is_running() && !server.answers());
    server.restart().expect("it comes back");
    assert_eq!(server.port(), port, "clients find it where it was");
    let row = postgres(&env[0].1).await.query_one("SELECT answer FROM kept", &[]).await.expect("it is kept");
    assert_eq!(row.get::<_, i32>(0), 42);
}

#[test]
fn kafka_keeps_its_data_through_a_kill() {
    let scratch = Scratch::new("kafka").expect("a folder");
    let mut server =
        Server::start(Kind::Kafka, scratch.folder("server"), Options::default()).expect("it starts");
    let brokers = server.env()[0].1.clone();
    kafka::create_topic(&brokers, "kept");
    kafka::send(&brokers, "kept", "forty-two");
    server.kill();
    server.restart().expect("it comes back");
    assert_eq!(kafka::read_one(&brokers, "kept"), "forty-two");
}

#[test]
fn kafka_tells_clients_to_come_back_through_the_proxy() {
    let scratch = Scratch::new("proxied").expect("a folder");
    // Nothing has to listen at the proxy's port for this.
    let options = Options { advertise: vec![9, 19], ..Options::default() };
    let server = Server::start(Kind::Kafka, scratch.folder("server"), options).expect("it starts");
    let behind = server.behind_proxy();
    assert_eq!(kafka::port_told_at(server.port()), i32::from(server.port()));
    assert_eq!(kafka::port_told_at(behind[0]), 9);
    assert_eq!(kafka::port_told_at(behind[1]), 19);
}

#[test]
fn dynamo_keeps_its_data_through_a_kill() {
    let scratch = Scratch::new("dynamo").expect("a folder");
    let mut server =
        Server::start(Kind::Dynamo, scratch.folder("server"), Options::default()).expect("it starts");
    dynamo::create_table(server.port(), "kept");
    server.kill();
    server.restart().expect("it comes back");
    assert!(dynamo::has_table(server.port(), "kept"));
}

/// The check above is one that can fail.
#[test]
fn dynamo_in_memory_loses_its_data_and_the_check_notices() {
    let scratch = Scratch::new("memory").expect("a folder");
    let options = Options { in_memory: true, ..Options::default() };
    let mut server = Server::start(Kind::Dynamo, scratch.folder("server"), options).expect("it starts");
    dynamo::create_table(server.port(), "lost");
    assert!(dynamo::has_table(server.port(), "lost"));
    server.kill();
    server.restart().expect("it comes back");
    assert!(!dynamo::has_table(server.port(), "lost"));
}

#[test]
fn minio_keeps_its_data_through_a_kill() {
    let scratch = Scratch::new("minio").expect("a folder");
    let mut server =
        Server::start(Kind::Minio, scratch.folder("server"), Options::default()).expect("it starts");
    assert_eq!(minio::put(server.port(), "/bucket", ""), 200);
    assert_eq!(minio::put(server.port(), "/bucket/kept", "forty-two"), 200);
    server.kill();
    server.restart().expect("it comes back");
    assert_eq!(minio::get(server.port(), "/bucket/kept"), "forty-two");
}
