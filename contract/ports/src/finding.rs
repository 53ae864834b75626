//! What an examination of an installation finds, for `souk doctor`.

/// How good or bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, and somebody should know or act in time.
    Warn,
    /// It does not work, or loses something.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, dotted: `postgres.fsync`.
    pub name: String,
    /// How it is.
    pub level: Level,
    /// What was found; never a secret.
    pub detail: String,
    /// What to do about it, unless it is as it should be.
    pub remedy: Option<String>,
    /// Figures by name, such as `skewMs`.
    pub figures: Vec<(&'static str, i64)>,
    /// Nothing was there to be looked at: no answer, no folder.
    pub unreachable: bool,
}

/// Takes findings as they are made, so that those before a server fell silent are not lost.
pub type Findings<'a> = &'a mut (dyn FnMut(Finding) + Send);

impl Finding {
    fn new(name: &str, level: Level, detail: impl Into<String>, remedy: Option<String>) -> Self {
        let (name, detail) = (name.to_owned(), detail.into());
        Self { name, level, detail, remedy, figures: Vec::new(), unreachable: false }
    }

    /// As it should be.
    pub fn ok(name: &str, detail: impl Into<String>) -> Self {
        Self::new(name, Level::Ok, detail, None)
    }

    /// It works, and somebody should know.
    pub fn warn(name: &str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(name, Level::Warn, detail, Some(remedy.into()))
    }

    /// It does not work.
    pub fn fail(name: &str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(name, Level::Fail, detail, Some(remedy.into()))
    }

    /// Nothing answers.
    pub fn unreachable(name: &str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { unreachable: true, ..Self::fail(name, detail, remedy) }
    }

    /// Adds a figure.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: i64) -> Self {
        self.figures.push((name, value));
        self
    }
}

/// Judges how far a server's clock is from this one's, `skew_ms` of which may be the way there and back.
pub fn clock_skew(name: &str, skew_ms: i64) -> Finding {
    /// Times of events and ids would visibly jump between machines.
    const VISIBLE_MS: i64 = 2_000;
    /// `occurredAt` may be so far ahead, and signed requests are refused not much later.
    const HARMFUL_MS: i64 = 5 * 60_000;
    let detail = format!(
        "its clock is {} ms {} this one's",
        skew_ms.abs(),
        if skew_ms < 0 { "behind" } else { "ahead of" }
    );
    let remedy = "let both machines follow a time server (chrony, systemd-timesyncd)";
    let finding = match skew_ms.abs() {
        0..VISIBLE_MS => Finding::ok(name, detail),
        VISIBLE_MS..HARMFUL_MS => Finding::warn(name, detail, remedy),
        _ => Finding::fail(name, detail, remedy),
    };
    finding.with("skewMs", skew_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_judged_both_ways() {
        for (skew, level) in [
            (0, Level::Ok),
            (-1_999, Level::Ok),
            (2_000, Level::Warn),
            (-60_000, Level::Warn),
            (300_000, Level::Fail),
            (-3_600_000, Level::Fail),
        ] {
            assert_eq!(clock_skew("x", skew).level, level, "{skew}");
        }
    }
}
