//! Bytes of which nothing is known.

use std::io;

use crate::link::{Link, Side};
use crate::proxy::Protocol;
use crate::rules::Rules;

/// Carries bytes as they come.
#[derive(Debug)]
pub enum Raw {}

impl Protocol for Raw {
    /// None beyond the switches.
    type Fault = std::convert::Infallible;
    type Session = ();

    fn requests(link: &Link, (): &(), _: &Rules<Self::Fault>) -> io::Result<()> {
        link.carry(Side::Client)
    }

    fn replies(link: &Link, (): &(), _: &Rules<Self::Fault>) -> io::Result<()> {
        link.carry(Side::Upstream)
    }
}
