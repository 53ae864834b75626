//! The engines of services that run apart: the relay from Postgres to Kafka.
