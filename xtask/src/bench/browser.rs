//! The dashboard in a real browser: how much it loads, how soon it can be used, how soon what others write is painted.
//!
//! Each figure is taken in the page, by its own clock; clocks of two browsers on one machine are the same.

pub mod flood;
pub mod lists;
pub mod load;
pub mod row;

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use serde_json::{Value, json};
use souk_browser::Driver;

use super::peers;
use super::souk::Souk;

/// How long anything may take to show before a measurement is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between looks at a page: short against what is waited for, and no load.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A page of the dashboard in a browser of its own.
pub struct Page(Driver);

impl Page {
    /// Starts a browser, installing one where that is allowed, and opens the dashboard in it.
    pub fn open(souk: &Souk) -> anyhow::Result<Self> {
        let page = Self::blank()?;
        page.visit(souk)?;
        Ok(page)
    }

    /// Starts a browser that shows nothing yet.
    pub fn blank() -> anyhow::Result<Self> {
        peers::ensure("a browser", &["chromium", "chromium-driver"], || {
            peers::find("chromium").is_some() && peers::find("chromedriver").is_some()
        })?;
        Ok(Self(Driver::start().map_err(|trouble| anyhow!(trouble))?))
    }

    /// Goes to the dashboard and waits until the page can be used.
    pub fn visit(&self, souk: &Souk) -> anyhow::Result<()> {
        let url = format!("http://localhost:{}/", souk.web);
        self.0.command("POST", "/url", &json!({"url": url})).map_err(|trouble| anyhow!(trouble))?;
        self.until("the page can be used", "return performance.getEntriesByName('souk-ready').length > 0")
    }

    /// Waits until the stream is live.
    pub fn live(&self) -> anyhow::Result<()> {
        self.until(
            "the stream is live",
            "return document.querySelector('.topbar').innerText.includes('Live')",
        )
    }

    /// Runs the body of a function in the page.
    pub fn script(&self, body: &str) -> anyhow::Result<Value> {
        self.0.script(body, &[]).map_err(|trouble| anyhow!(trouble))
    }

    /// Runs the body of a function that hands its result to `done`.
    pub fn later(&self, body: &str) -> anyhow::Result<Value> {
        let body = format!("const done = arguments[arguments.length - 1]; {body}");
        self.0.async_script(&body, &[]).map_err(|trouble| anyhow!(trouble))
    }

    /// Waits until the body of a function returns true in the page.
    pub fn until(&self, what: &str, body: &str) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.script(body)? != true {
            if began.elapsed() > PATIENCE {
                bail!("waited {PATIENCE:?} in vain: {what}");
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// Returns the size of the page's heap in bytes, after a collection of what is not needed.
    pub fn heap(&self) -> anyhow::Result<f64> {
        let ask = |command| self.0.devtools(command, &json!({})).map_err(|trouble| anyhow!(trouble));
        ask("HeapProfiler.collectGarbage")?;
        ask("Runtime.getHeapUsage")?["usedSize"].as_f64().context("the browser tells no heap size")
    }
}

/// Reads an array of milliseconds.
fn durations(found: &Value) -> anyhow::Result<super::stats::Samples> {
    let mut samples = super::stats::Samples::default();
    for millis in found.as_array().context("the page tells no times")? {
        samples.push(Duration::from_secs_f64(millis.as_f64().context("a time is a number")?.max(0.0) / 1e3));
    }
    Ok(samples)
}
