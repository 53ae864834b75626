//! Several partitions and several instances: everything is counted, shown and archived once, whoever does it.

mod fake_log;
mod field;
mod holes;
mod sharing;
