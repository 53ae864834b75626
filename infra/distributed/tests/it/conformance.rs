//! The conformance suite over Postgres, the relay, Kafka, DynamoDB and S3, as they are wired in production.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::ObjectStore;
use object_store::prefix::PrefixStore;
use souk_aws::DynamoEventStore;
use souk_conformance::{Destination, Fixture, Setup};
use souk_distributed::{DistributedMoveTarget, KafkaSinks, RelayConfig};
use souk_kafka::{KafkaEventLog, ensure_topics};
use souk_ports::{Catalog, EventLog, EventStore, MoveTarget, Offset};
use souk_postgres::{ConnectError, Postgres, PostgresConfig};

use crate::bed::{Running, config, rotation};
use crate::names::Names;

/// The distributed engines under names of their own.
struct DistributedFixture {
    postgres: Postgres,
    relay: Running,
    log: Arc<KafkaEventLog>,
    store: Arc<DynamoEventStore>,
    archive: Arc<dyn ObjectStore>,
    setup: Setup,
    names: Arc<Names>,
}

impl DistributedFixture {
    async fn over(names: Arc<Names>, setup: Setup) -> Result<Self, ConnectError> {
        let mut postgres = PostgresConfig::parse(&names.database.url()).expect("DATABASE_URL is one");
        postgres.low_stock_threshold = setup.low_stock_threshold;
        let (postgres, log, store, archive) = tokio::join!(
            Postgres::connect(postgres, setup.clock.clone(), setup.ids.clone()),
            async {
                ensure_topics(&names.kafka).await.expect("topics can be made");
                KafkaEventLog::connect(names.kafka.clone()).await
            },
            DynamoEventStore::connect(&names.aws, setup.clock.clone()),
            souk_aws::archive(&names.aws),
        );
        let postgres = postgres?;
        let log = Arc::new(log.expect("KAFKA_BROKERS can be reached"));
        let store = Arc::new(store.expect("DYNAMO_ENDPOINT can be reached"));
        let archive = archive.expect("MINIO_ENDPOINT can be reached");
        let archive = Arc::new(PrefixStore::new(archive, names.folder.as_str()));
        // Leaves come round all the time, so that every promise is kept across it.
        let config =
            RelayConfig { rotation: rotation(50), transactional_id: names.transactional_id(), ..config() };
        let sinks = KafkaSinks::new(names.kafka.clone(), names.transactional_id());
        let relay = Running::start(config, Arc::new(postgres.clone()), Arc::new(sinks));
        Ok(Self { postgres, relay, log, store, archive, setup, names })
    }
}

#[async_trait]
impl Fixture for DistributedFixture {
    async fn open(setup: Setup) -> Self {
        let names = Names::take(setup.recent_retention).await;
        Self::over(names, setup).await.expect("DATABASE_URL can be reached")
    }

    fn catalog(&self) -> Arc<dyn Catalog> {
        self.postgres.catalog()
    }

    fn log(&self) -> Arc<dyn EventLog> {
        self.log.clone()
    }

    fn store(&self) -> Arc<dyn EventStore> {
        self.store.clone()
    }

    fn archive(&self) -> Arc<dyn ObjectStore> {
        self.archive.clone()
    }

    async fn crash(self) -> Self {
        let Self { postgres, relay, log, store, archive, setup, names } = self;
        // Nothing is closed: what is under way is not waited for.
        relay.kill().await;
        drop((postgres, log, store, archive));
        Self::over(names, setup).await.expect("DATABASE_URL can be reached")
    }

    async fn maintain(&self) {
        self.postgres.sweep().await.expect("the database can be written");
    }

    async fn expire(&self, before: &[Offset]) {
        self.names.expire(before).await;
    }
}

/// A database and topics that a shop can move to.
struct DistributedPlace {
    names: Arc<Names>,
    setup: Setup,
}

#[async_trait]
impl Destination for DistributedPlace {
    type Shop = DistributedFixture;

    async fn take(setup: Setup) -> Self {
        Self { names: Names::take(setup.recent_retention).await, setup }
    }

    async fn target(&self) -> Result<Box<dyn MoveTarget>, String> {
        let postgres = PostgresConfig::parse(&self.names.database.url()).expect("DATABASE_URL is one");
        let id = self.names.transactional_id();
        match DistributedMoveTarget::open(&postgres, self.names.kafka.clone(), &id).await {
            Ok(target) => Ok(Box::new(target)),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn shop(&self) -> Result<DistributedFixture, String> {
        let shop = DistributedFixture::over(self.names.clone(), self.setup.clone()).await;
        shop.map_err(|error| error.to_string())
    }

    async fn leave(&self, shop: DistributedFixture) {
        shop.relay.stop().await;
        shop.postgres.close().await;
    }
}

souk_conformance::catalog_promises!(DistributedFixture);
souk_conformance::event_log_promises!(DistributedFixture);
souk_conformance::event_store_promises!(DistributedFixture);
souk_conformance::archive_promises!(DistributedFixture);
souk_conformance::moving_promises!(DistributedPlace);
souk_conformance::planted_lies!(DistributedFixture);
