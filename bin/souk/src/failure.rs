//! Why a command did not end well, as its exit code and one message.

use std::process::ExitCode;

use crate::settings::Faults;

/// The codes are a promise to scripts.
#[derive(Debug)]
pub enum Failure {
    /// 1: the check found a fault, or a service broke down. The text is empty when the report has said it already.
    Fault(String),
    /// 2: wrong use.
    Usage(String),
    /// 3: could not reach what it needs.
    Unreachable(String),
}

impl Failure {
    /// A check's report has said what is wrong.
    pub fn reported() -> Self {
        Self::Fault(String::new())
    }

    /// Returns the exit code.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Fault(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
        })
    }

    /// Tells it on the standard error.
    pub fn print(&self) {
        let (Self::Fault(message) | Self::Usage(message) | Self::Unreachable(message)) = self;
        if !message.is_empty() {
            eprintln!("error: {}", message.trim_end());
        }
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::Usage(faults.to_string())
    }
}
