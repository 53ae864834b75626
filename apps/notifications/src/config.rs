//! Settings of the event stream.

use std::time::Duration;

/// Settings of the event stream.
#[derive(Debug, Clone)]
pub struct NotificationsConfig {
    /// Memory for the newest events, their indexes included.
    pub ring_bytes: usize,
    /// Memory for blocks of the log that readers catching up share; taken only while there are such readers.
    pub catch_up_bytes: usize,
    /// How long a stream may be silent.
    pub heartbeat: Duration,
    /// How long a client waits before it reconnects.
    pub retry: Duration,
    /// How many clients a second a drain asks to come back; later slots are further apart in time, not closer.
    pub reconnects_per_second: u32,
    /// How many readers there may be; one more is asked to come back later.
    pub max_readers: usize,
    /// How often to look for offsets without an event at the ends of quiet partitions, which ids are to pass.
    pub look_interval: Duration,
    /// A bug to have, so that a test can prove that its check would notice it. Debug builds only.
    #[doc(hidden)]
    pub planted_bug: Option<&'static str>,
}

impl Default for NotificationsConfig {
    fn default() -> Self {
        Self {
            // Some 35,000 events: a second of writes at full speed, minutes of a busy shop.
            ring_bytes: 32 << 20,
            catch_up_bytes: 16 << 20,
            // WHATWG HTML §9.2.7 advises it; the shortest proxy timeouts in use are 30 to 60 s.
            heartbeat: Duration::from_secs(15),
            retry: Duration::from_secs(2),
            reconnects_per_second: 500,
            // At some 20 KB each these take 1 GB; open files usually run out before.
            max_readers: 50_000,
            // Two looks pass such offsets, long before any retention lets go of what is before them.
            look_interval: Duration::from_secs(60),
            planted_bug: None,
        }
    }
}

impl NotificationsConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// A text that names the setting, its value and what is possible.
    pub fn validate(&self) -> Result<(), String> {
        const LEAST_RING: usize = 64 << 10;
        if self.ring_bytes < LEAST_RING {
            return Err(format!("the ring needs at least {LEAST_RING} bytes, not {}", self.ring_bytes));
        }
        if self.heartbeat.is_zero() {
            return Err("the heartbeat interval must be longer than 0 s".into());
        }
        if self.reconnects_per_second == 0 || self.max_readers == 0 {
            return Err("reconnects per second and the most readers must be at least 1".into());
        }
        Ok(())
    }

    /// Tells whether a planted bug is switched on.
    pub(crate) fn has_bug(&self, name: &str) -> bool {
        cfg!(debug_assertions) && (self.planted_bug == Some(name) || souk_ports::fault::planted(name))
    }
}
