//! Tables are made when absent, and checked when there.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TimeToLiveStatus,
};
use souk_aws::{ConnectError, DynamoEventStore, TableState, check_tables};
use souk_domain::Timestamp;
use souk_ports::{ErrorKind, EventStore as _};

use crate::support::{Place, Still};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn absent_tables_are_made_by_whoever_comes_first_and_expire() {
    let place = Place::new();
    let states = check_tables(&place.config).await.unwrap();
    assert!(states.iter().all(|(_, state)| *state == TableState::Absent), "{states:?}");
    let clock = || std::sync::Arc::new(Still(Timestamp::from_millis(0)));
    let Err(ConnectError::Refused(why)) = DynamoEventStore::existing(&place.config, clock()).await.map(drop)
    else {
        panic!("tables that are absent were opened");
    };
    assert!(why.contains(&place.config.recent_table) && why.contains("souk analytics"), "{why}");
    let (one, other) = tokio::join!(
        DynamoEventStore::connect(&place.config, clock()),
        DynamoEventStore::connect(&place.config, clock())
    );
    for store in [one.unwrap(), other.unwrap()] {
        assert_eq!(store.health().await.unwrap().problem, None);
    }
    DynamoEventStore::existing(&place.config, clock()).await.unwrap();
    let states = check_tables(&place.config).await.unwrap();
    assert!(states.iter().all(|(_, state)| *state == TableState::Fits), "{states:?}");
    let expiry = place.client().describe_time_to_live().table_name(&place.config.recent_table).send().await;
    let expiry = expiry.unwrap().time_to_live_description.unwrap();
    assert_eq!(expiry.time_to_live_status, Some(TimeToLiveStatus::Enabled));
    assert_eq!(expiry.attribute_name.as_deref(), Some("ttl"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_programs_table_is_left_alone() {
    let place = Place::new();
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build().unwrap();
    let attribute = AttributeDefinition::builder()
        .attribute_name("id")
        .attribute_type(ScalarAttributeType::S)
        .build()
        .unwrap();
    place
        .client()
        .create_table()
        .table_name(&place.config.recent_table)
        .key_schema(key)
        .attribute_definitions(attribute)
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .unwrap();
    let clock = std::sync::Arc::new(Still(Timestamp::from_millis(0)));
    let Err(ConnectError::Refused(why)) = DynamoEventStore::connect(&place.config, clock).await.map(drop)
    else {
        panic!("a table with other keys was taken");
    };
    assert!(why.contains("id (HASH)") && why.contains("RECENT_EVENTS_TABLE_NAME"), "{why}");
    let states = check_tables(&place.config).await.unwrap();
    assert!(matches!(&states[0].1, TableState::Differs(why) if why.contains("id (HASH)")), "{states:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_goes_away_is_said_and_a_server_that_is_gone_too() {
    let mut place = Place::new();
    let store = place.store(Timestamp::from_millis(0)).await;
    place.client().delete_table().table_name(&place.config.recent_table).send().await.unwrap();
    let error = store.health().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&place.config.recent_table), "{error}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let good = place.config.dynamo_endpoint.replace(format!("http://127.0.0.1:{port}"));
    let clock = std::sync::Arc::new(Still(Timestamp::from_millis(0)));
    let result = DynamoEventStore::connect(&place.config, clock).await.map(drop);
    assert!(
        matches!(&result, Err(ConnectError::Unreachable(why)) if why.contains(&port.to_string())),
        "{result:?}"
    );
    place.config.dynamo_endpoint = good;
}
