//! Settings of analytics.

use std::time::Duration;

/// How analytics works; the defaults are what measurements and the design ask for.
#[derive(Debug, Clone)]
pub struct AnalyticsConfig {
    /// Prefix of the consumer groups' names.
    pub client_id: String,
    /// Aggregates are written at most so often: each write flushes the disk.
    pub flush_interval: Duration,
    /// Or when so many events wait.
    pub flush_events: usize,
    /// Positions are committed at most so often; what a crash loses of them is read again without harm.
    pub commit_interval: Duration,
    /// An archive file is closed when it has been open for so long.
    pub archive_max_age: Duration,
    /// Most bytes of events that wait for the archive.
    pub archive_max_bytes: usize,
    /// Most events in an object.
    pub archive_max_rows: usize,
    /// How long `POST /archive/flush` waits.
    pub flush_timeout: Duration,
    /// How long it waits before it asks where the log ends; 0 where what is committed is in the log at once.
    pub settle_time: Duration,
    /// How long recent events are kept.
    pub recent_retention: Duration,
}

impl Default for AnalyticsConfig {
    fn default() -> Self {
        Self {
            client_id: "analytics-service".to_owned(),
            flush_interval: Duration::from_millis(100),
            flush_events: 8192,
            commit_interval: Duration::from_millis(250),
            archive_max_age: Duration::from_secs(300),
            // A share of what the design allows: objects under way have some of it again, and encoding them takes more.
            // Twelve partitions share it, so an object has a sixth of it or so. Smaller ones keep the object store
            // busy: with a third of this the archive is slower by a fifth.
            archive_max_bytes: 40 << 20,
            archive_max_rows: 1_000_000,
            flush_timeout: Duration::from_secs(30),
            settle_time: Duration::ZERO,
            recent_retention: Duration::from_secs(7 * 86_400),
        }
    }
}

impl AnalyticsConfig {
    /// The defaults where each item is a request over the network: events of half a second, or of many when there
    /// is a backlog, are folded into one update of each item that they touch.
    #[must_use]
    pub fn distributed() -> Self {
        Self {
            flush_interval: Duration::from_millis(500),
            flush_events: 32_768,
            commit_interval: Duration::from_millis(500),
            // A relay that has nothing to do looks for events of other processes every 100 ms: as long again to publish
            // them. One that is behind is not waited for.
            settle_time: Duration::from_millis(200),
            ..Self::default()
        }
    }

    /// Checks the settings against each other.
    ///
    /// # Errors
    /// A text that names the setting, its value and the remedy.
    pub fn validate(&self) -> Result<(), String> {
        if self.client_id.is_empty() {
            return Err("KAFKA_CLIENT_ID of analytics is empty: leave it away or give it a name".to_owned());
        }
        for (name, value) in [
            ("ARCHIVE_MAX_AGE", self.archive_max_age),
            ("the interval of aggregates", self.flush_interval),
            ("the interval of commits", self.commit_interval),
            ("the time of an archive flush", self.flush_timeout),
        ] {
            if value.is_zero() {
                return Err(format!("{name} is 0: give it a time above 0, such as 300s"));
            }
        }
        if self.flush_events == 0 || self.archive_max_rows == 0 || self.archive_max_bytes == 0 {
            return Err("limits of events and bytes have to be above 0".to_owned());
        }
        // Rows are numbered with 32 bits while a file is encoded.
        if self.archive_max_rows > 100_000_000 {
            return Err(format!(
                "{} rows in one archive file: give at most 100000000",
                self.archive_max_rows
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(AnalyticsConfig::default().validate(), Ok(()));
    }

    #[test]
    fn a_bad_setting_is_named() {
        let config = AnalyticsConfig { archive_max_age: Duration::ZERO, ..AnalyticsConfig::default() };
        assert!(config.validate().unwrap_err().contains("ARCHIVE_MAX_AGE"));
    }
}
