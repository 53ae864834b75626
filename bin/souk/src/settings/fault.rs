//! What is wrong with the settings, as it is told.

use std::fmt;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The settings and their values, as they may be shown: `API_PORT="http" from the environment`.
    pub subject: String,
    pub what: String,
    pub remedy: String,
}

/// Every fault of the settings; never empty.
#[derive(Debug)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        writeln!(
            f,
            "the settings have {count} fault{}, nothing was started",
            if count == 1 { "" } else { "s" }
        )?;
        for fault in &self.0 {
            writeln!(f, "  {} {}", fault.subject, fault.what)?;
            writeln!(f, "    remedy: {}", fault.remedy)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
