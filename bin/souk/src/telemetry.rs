//! Logs on the standard error: text for people on a terminal, one JSON object per line otherwise.

use std::io::IsTerminal as _;

use tracing::Metadata;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::output;
use crate::settings::LogFormat;

/// Events of this target are written whatever `LOG_LEVEL` says: scripts wait for them.
pub const ALWAYS: &str = "souk::lifecycle";

/// Sets up logging for the process.
pub fn init(format: LogFormat, level: &str) {
    let terminal = std::io::stderr().is_terminal();
    let filter = EnvFilter::builder().parse(level).expect("the settings hold a filter that was read before");
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    };
    let always = FilterFn::new(|metadata: &Metadata<'_>| metadata.target() == ALWAYS);
    let filter = tracing_subscriber::filter::FilterExt::or(always, filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = if json {
        layer.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    } else {
        layer.with_ansi(terminal && output::colours_wanted()).with_target(false).boxed()
    };
    tracing_subscriber::registry().with(layer.with_filter(filter)).init();
}
