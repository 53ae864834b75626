//! Browsers that several tests use, one after the other: to start one costs more than most of them do with it.
//!
//! What one user leaves is not what the next one finds: the next one has a new tab, every other tab is closed, and the
//! places that were visited have forgotten what was stored for them.

use std::ops::Deref;
use std::sync::{Mutex, Once, PoisonError};

use serde_json::{Value, json};

use crate::{Driver, Trouble};

/// Started, and used by nobody now.
static IDLE: Mutex<Vec<Driver>> = Mutex::new(Vec::new());

/// A browser that goes back to where others take it from, unless its user panics.
pub struct Lent(Option<Driver>);

impl Lent {
    /// Takes one that is idle, or starts one. Two that are in use at the same time have nothing in common.
    ///
    /// # Errors
    /// Those of [`Driver::start`].
    pub fn take() -> Result<Self, Trouble> {
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let driver = match idle {
            Some(driver) => driver,
            None => Driver::start()?,
        };
        Ok(Self(Some(driver)))
    }
}

impl Deref for Lent {
    type Target = Driver;

    fn deref(&self) -> &Driver {
        self.0.as_ref().expect("it is given back by the drop alone")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        static AT_EXIT: Once = Once::new();
        let Some(driver) = self.0.take().filter(|_| !std::thread::panicking()) else { return };
        // One that does not do as it is told ends here; the next user starts another.
        if clear(&driver).is_ok() {
            AT_EXIT.call_once(|| {
                #[expect(
                    unsafe_code,
                    reason = "statics are not dropped, and browsers outlive who started them"
                )]
                // SAFETY: the function is there until the process ends, and does not unwind.
                let _ = unsafe { libc::atexit(end_idle) };
            });
            IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(driver);
        }
    }
}

/// Ends those that are idle.
extern "C" fn end_idle() {
    let _ = std::panic::catch_unwind(|| {
        IDLE.lock().unwrap_or_else(PoisonError::into_inner).clear();
    });
}

/// Leaves a browser with one tab, which is new, and nothing stored for the places that its tabs showed.
fn clear(driver: &Driver) -> Result<(), Trouble> {
    let tabs = driver.command("GET", "/window/handles", &Value::Null)?;
    let new = driver.command("POST", "/window/new", &json!({"type": "tab"}))?;
    let go_to = |tab: &Value| driver.command("POST", "/window", &json!({"handle": tab}));
    let mut places = Vec::new();
    for tab in tabs.as_array().into_iter().flatten() {
        go_to(tab)?;
        places.push(driver.script("return location.origin", &[])?);
        driver.command("DELETE", "/window", &Value::Null)?;
    }
    go_to(&new["handle"])?;
    for place in places.iter().filter(|place| place.as_str().is_some_and(|place| place.starts_with("http"))) {
        let all = json!({"origin": place, "storageTypes": "all"});
        driver.devtools("Storage.clearDataForOrigin", &all)?;
    }
    // What the tabs said while they were closed is nobody's.
    driver.console().map(drop)
}
