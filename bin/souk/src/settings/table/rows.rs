//! The rows of the table, in the order in which `souk config` shows them.

use crate::settings::role::Role::{self, Analytics, Api, Clients, Migrate, Notifications, Stores, Up, Web};
use crate::settings::table::{Setting, setting};
use crate::settings::value::Kind;

/// Everything that listens.
const SERVERS: &[Role] = &[Up, Api, Notifications, Analytics, Web];
/// Everything that speaks to Kafka.
const KAFKA: &[Role] = &[Up, Api, Notifications, Analytics, Stores];
/// What makes the topics, or looks at how they are made.
const TOPICS: &[Role] = &[Up, Api, Stores];
/// What works with DynamoDB and S3.
const AWS: &[Role] = &[Up, Analytics, Stores];

/// Every setting.
pub const SETTINGS: &[Setting] = &[
    setting("PORT", Kind::Port, &[Api, Notifications], "Port of a service that runs on its own; 0 takes a free one")
        .default_of(&[(Api, "3000"), (Notifications, "3001")]),
    setting("API_PORT", Kind::Port, &[Up, Clients], "Port of the api, and of everything with --monolith; 0 takes a free one")
        .default("3000"),
    setting("NOTIFICATIONS_PORT", Kind::Port, &[Up, Clients], "Port of the event stream; 0 takes a free one").default("3001"),
    setting("HEALTH_PORT", Kind::Port, &[Up, Analytics, Clients], "Port of analytics; 0 takes a free one").default("8080"),
    setting("WEB_PORT", Kind::Port, &[Up, Web], "Port of the dashboard; 0 takes a free one").default("5173"),
    setting(
        "BIND_ADDRESS",
        Kind::Address,
        SERVERS,
        "Address that the services listen on; 0.0.0.0 lets other machines in",
    )
    .default("127.0.0.1"),
    setting("DATA_DIR", Kind::Folder, &[Up, Stores], "Folder of the embedded databases and the archive")
        .default("./souk-data"),
    setting(
        "DATA_MAX_BYTES",
        // A new catalog with its indexes, and room to write in.
        Kind::Bytes { min: 1 << 20 },
        &[Up],
        "Most that the embedded catalog's file may grow to, such as 20GiB; without it, the disk is the limit",
    ),
    setting(
        "DATABASE_URL",
        Kind::DatabaseUrl,
        &[Up, Api, Stores],
        "Postgres 15 to 18, such as postgresql://postgres:password@localhost:5432/app?sslmode=verify-full",
    )
    .or_file("DATABASE_URL_FILE"),
    setting(
        "DATABASE_COMMITTERS",
        Kind::Number { min: 1, max: 4 },
        &[Up, Api, Migrate],
        "Transactions that write to Postgres at once; more help where its disk is slow to sync",
    )
    .default("2"),
    setting(
        "MIGRATE_SOURCE",
        Kind::DatabaseUrl,
        &[Migrate],
        "Postgres that `souk migrate` takes products over from, such as postgresql://shop:password@db:5432/app",
    )
    .called("source", "source-file")
    .or_file("MIGRATE_SOURCE_FILE"),
    setting("KAFKA_BROKERS", Kind::Brokers, KAFKA, "Kafka, as host:port with commas between"),
    setting(
        "KAFKA_CLIENT_ID",
        Kind::Text,
        &[Api, Notifications, Analytics],
        "Name under which a service that runs on its own is known to Kafka; analytics' consumer groups begin with it",
    )
    .default_of(&[
        (Api, "api-service"),
        (Notifications, "notifications-service"),
        (Analytics, "analytics-service"),
    ]),
    setting(
        "ANALYTICS_CLIENT_ID",
        Kind::Text,
        &[Up, Stores],
        "What KAFKA_CLIENT_ID is to analytics, for commands that work with several services",
    )
    .default("analytics-service"),
    setting(
        "KAFKA_TRANSACTIONAL_ID",
        Kind::Text,
        TOPICS,
        "Name of the relay's transactions: one for all instances of an api, another for each installation",
    )
    .default("api-service-transaction"),
    setting(
        "RELAY_ACCEPT",
        Kind::Text,
        &[Up, Api],
        "The word that the relay's error gives after a restore of Postgres or Kafka: compare, then go on, once",
    ),
    setting("KAFKA_TOPIC", Kind::Name { min: 1, max: 240, lower: false }, KAFKA, "Topic that carries every event")
        .default("product-events"),
    setting(
        "KAFKA_TOPIC_PARTITIONS",
        Kind::Number { min: 1, max: 1_000 },
        TOPICS,
        "Partitions of the topic when the api creates it; analytics spreads over as many instances",
    )
    .default("12"),
    setting(
        "KAFKA_REPLICATION_FACTOR",
        Kind::Number { min: 1, max: 15 },
        TOPICS,
        "Copies of each partition when the api creates the topic; 3 outlives the loss of a broker",
    )
    .default("1"),
    setting(
        "KAFKA_SECURITY_PROTOCOL",
        Kind::OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]),
        KAFKA,
        "How the links to Kafka are secured: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
    )
    .default("PLAINTEXT"),
    setting(
        "KAFKA_SASL_MECHANISM",
        Kind::OneOf(&["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]),
        KAFKA,
        "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
    )
    .default("PLAIN"),
    setting("KAFKA_SASL_USERNAME", Kind::Text, KAFKA, "User that logs in to Kafka"),
    setting("KAFKA_SASL_PASSWORD", Kind::Text, KAFKA, "Password of that user")
        .secret()
        .or_file("KAFKA_SASL_PASSWORD_FILE"),
    setting("KAFKA_CA_FILE", Kind::File, KAFKA, "Authorities that sign the brokers' certificates, in PEM; without it, the system's"),
    setting("DYNAMO_ENDPOINT", Kind::Endpoint, AWS, "DynamoDB, such as http://localhost:8000; without it, AWS itself"),
    setting("AWS_REGION", Kind::Text, AWS, "Region of DynamoDB and S3; without it, as the AWS SDK finds it"),
    setting("AWS_ACCESS_KEY_ID", Kind::Text, AWS, "Key for DynamoDB; without it, as the AWS SDK finds it")
        .or_file("AWS_ACCESS_KEY_ID_FILE"),
    setting("AWS_SECRET_ACCESS_KEY", Kind::Text, AWS, "Secret of that key").secret().or_file("AWS_SECRET_ACCESS_KEY_FILE"),
    setting("AWS_SESSION_TOKEN", Kind::Text, AWS, "Token that comes with a key that expires; S3 takes the three where MINIO_ACCESS_KEY is not set")
        .secret()
        .or_file("AWS_SESSION_TOKEN_FILE"),
    setting(
        "RECENT_EVENTS_TABLE_NAME",
        Kind::Name { min: 3, max: 255, lower: false },
        AWS,
        "DynamoDB table of the recent events",
    )
    .default("RecentEvents"),
    setting(
        "AGGREGATES_TABLE_NAME",
        Kind::Name { min: 3, max: 255, lower: false },
        AWS,
        "DynamoDB table of the aggregates",
    )
    .default("Aggregates"),
    setting("MINIO_ENDPOINT", Kind::Endpoint, AWS, "S3 or MinIO, such as http://localhost:9000; without it, AWS itself"),
    setting("MINIO_ACCESS_KEY", Kind::Text, AWS, "Key for S3 or MinIO; without it, as the AWS SDK finds it")
        .or_file("MINIO_ACCESS_KEY_FILE"),
    setting("MINIO_SECRET_KEY", Kind::Text, AWS, "Secret of that key").secret().or_file("MINIO_SECRET_KEY_FILE"),
    setting(
        "ARCHIVE_BUCKET_NAME",
        Kind::Name { min: 3, max: 63, lower: true },
        AWS,
        "Bucket of the archive",
    )
    .default("event-archive"),
    setting(
        "LOW_STOCK_THRESHOLD",
        Kind::Number { min: 0, max: 1_000_000_000 },
        &[Up, Api, Migrate],
        "Stock below which a product is low, unless it has a threshold of its own",
    )
    .default("5"),
    setting(
        "CORS_ALLOWED_ORIGINS",
        Kind::Origins,
        SERVERS,
        "Origins whose pages may call the services, with commas between",
    )
    .default("*"),
    setting(
        "RECENT_EVENTS_RETENTION",
        Kind::Duration { min_ms: 1_000 },
        &[Up, Analytics, Stores],
        "How long `GET /events` of analytics reaches back; the embedded log holds events at least as long",
    )
    .default("7d"),
    setting(
        "LOG_RETENTION",
        Kind::Duration { min_ms: 1_000 },
        &[Up, Stores],
        "How long the embedded log holds events for readers that come back; in Kafka, the topic's retention.ms says",
    )
    .default("7d"),
    setting(
        "ARCHIVE_MAX_AGE",
        Kind::Duration { min_ms: 1_000 },
        &[Up, Analytics],
        "How long an event waits at most before it is in an archived file",
    )
    .default("5m"),
    setting(
        "STREAM_RING_BYTES",
        // One event at its largest has to fit several times.
        Kind::Bytes { min: 1 << 20 },
        &[Up, Notifications],
        "Memory for the events that live readers are served from; slower ones are served from the log",
    )
    .default("32MiB"),
    setting(
        "MAX_CONNECTIONS",
        Kind::NumberOrAuto { min: 16, max: 1_000_000 },
        SERVERS,
        "Most connections over all services; auto: what the limit of open files allows, at most 65,536",
    )
    .default("auto"),
    setting(
        "DRAIN_TIMEOUT",
        Kind::Duration { min_ms: 0 },
        SERVERS,
        "How long requests in flight may take to end after the first Ctrl-C or SIGTERM",
    )
    .default("10s"),
    setting(
        "LOG_FORMAT",
        Kind::OneOf(&["auto", "text", "json"]),
        SERVERS,
        "auto, text or json; auto is text on a terminal and JSON otherwise",
    )
    .default("auto"),
    setting(
        "LOG_LEVEL",
        Kind::LogFilter,
        SERVERS,
        "error, warn, info, debug or trace, also by module: info,souk_api=debug",
    )
    .default("info"),
    setting(
        "API_URL",
        Kind::Url,
        &[Up, Web, Clients],
        "Where the api is for browsers and for `souk load`; without it, at API_PORT of this machine",
    ),
    setting(
        "SSE_URL",
        Kind::StreamUrl,
        &[Up, Web, Clients],
        "Where the event stream is for them, its path by default /events/stream; without it, at NOTIFICATIONS_PORT of this machine",
    ),
    setting(
        "ANALYTICS_URL",
        Kind::Url,
        &[Up, Web, Clients],
        "Where analytics is for them; without it, at HEALTH_PORT of this machine",
    ),
    setting(
        "INTERNAL_API_URL",
        Kind::Url,
        &[Web],
        "Where `souk web` itself finds the api, when that is not where browsers do; without it, API_URL",
    ),
    setting("INTERNAL_SSE_URL", Kind::StreamUrl, &[Web], "The same of the event stream; without it, SSE_URL"),
    setting("INTERNAL_ANALYTICS_URL", Kind::Url, &[Web], "The same of analytics; without it, ANALYTICS_URL"),
];
