//! The catalog on Postgres, with its outbox.
