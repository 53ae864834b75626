//! Chromedriver, its browser, and the WebDriver protocol (<https://www.w3.org/TR/webdriver2/>) with Chromium's own
//! commands beside it.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::wire::Wire;

/// Why the browser did not do something, in its own words.
pub type Trouble = String;

/// How to have a browser.
pub const REMEDY: &str = "run `cargo xtask test`, which installs what is missing where it may, or on Debian \
                      `apt-get install chromium chromium-driver`";

/// A browser under control. Ends with this value.
pub struct Driver {
    chromedriver: Child,
    wire: RefCell<Wire>,
    session: String,
    profile: tempfile::TempDir,
}

fn on_path(program: &str) -> Result<PathBuf, Trouble> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|folder| folder.join(program));
    found.find(|path| path.is_file()).ok_or_else(|| format!("{program} is not here: {REMEDY}"))
}

impl Driver {
    /// Starts a browser with a profile of its own.
    ///
    /// # Errors
    /// When there is none, or it does not start; says how to have one.
    pub fn start() -> Result<Self, Trouble> {
        let (chromium, chromedriver) = (on_path("chromium")?, on_path("chromedriver")?);
        let profile = tempfile::tempdir().map_err(|error| format!("no room for a profile: {error}"))?;
        let chromedriver = Command::new(chromedriver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("chromedriver does not start ({error}): {REMEDY}"))?;
        let wire = RefCell::new(Wire::new(0));
        let mut driver = Self { chromedriver, wire, session: String::new(), profile };
        driver.wire = RefCell::new(Wire::new(port_of(&mut driver.chromedriver)?));
        let profile = format!("--user-data-dir={}", driver.profile.path().display());
        let mut args = vec![
            "--headless=new",
            &profile,
            "--window-size=1280,900",
            "--lang=en-US",
            "--no-first-run",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            // Nothing but our own servers is asked for anything.
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-default-apps",
            "--disable-sync",
            "--disable-quic",
            "--disable-features=Translate,OptimizationHints,MediaRouter",
        ];
        if is_root() {
            args.push("--no-sandbox");
        }
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"binary": chromium, "args": args},
        }}});
        let session = driver.call("POST", "/session", &wanted);
        let session = session.map_err(|error| format!("the browser does not start ({error}): {REMEDY}"))?;
        driver.session = session["sessionId"].as_str().unwrap_or_default().to_owned();
        Ok(driver)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, Trouble> {
        let body = (method == "POST").then(|| body.to_string());
        let answer = self.wire.borrow_mut().call(method, path, body.as_deref());
        let (status, mut document) =
            answer.map_err(|error| format!("chromedriver does not answer: {error}"))?;
        let value = document["value"].take();
        if status == 200 { Ok(value) } else { Err(format!("{}: {}", value["error"], value["message"])) }
    }

    /// Sends a command of the session.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn command(&self, method: &str, path: &str, body: &Value) -> Result<Value, Trouble> {
        self.call(method, &format!("/session/{}{path}", self.session), body)
    }

    /// Sends a command of the Chrome DevTools Protocol (<https://chromedevtools.github.io/devtools-protocol/>).
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn devtools(&self, command: &str, params: &Value) -> Result<Value, Trouble> {
        self.command("POST", "/goog/cdp/execute", &json!({"cmd": command, "params": params}))
    }

    /// Runs the body of a function in the page and returns what it returns.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn script(&self, body: &str, args: &[Value]) -> Result<Value, Trouble> {
        self.command("POST", "/execute/sync", &json!({"script": body, "args": args}))
    }

    /// The same for a body that hands its result to its last argument, later.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn async_script(&self, body: &str, args: &[Value]) -> Result<Value, Trouble> {
        self.command("POST", "/execute/async", &json!({"script": body, "args": args}))
    }

    /// Takes what the console said since the last time.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn console(&self) -> Result<Vec<Value>, Trouble> {
        let entries = self.command("POST", "/se/log", &json!({"type": "browser"}))?;
        Ok(entries.as_array().cloned().unwrap_or_default())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.session.is_empty() || self.command("DELETE", "", &Value::Null).is_err() {
            end_processes_of(&self.profile);
        }
        let _ = self.chromedriver.kill();
        let _ = self.chromedriver.wait();
    }
}

/// Reads the port off the line on which chromedriver tells it; what it says later is thrown away.
fn port_of(chromedriver: &mut Child) -> Result<u16, Trouble> {
    let mut lines = BufReader::new(chromedriver.stdout.take().expect("stdout was asked for")).lines();
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        line.strip_prefix("ChromeDriver was started successfully on port ")?
            .trim_end_matches('.')
            .parse()
            .ok()
    });
    std::thread::spawn(move || lines.for_each(drop));
    port.ok_or_else(|| format!("chromedriver did not say its port: {REMEDY}"))
}

/// Ends what was started on this profile, where chromedriver cannot do it any more.
fn end_processes_of(profile: &tempfile::TempDir) {
    let ours = profile.path().to_string_lossy().into_owned();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(&ours) {
            #[expect(
                unsafe_code,
                reason = "kill has no safe form; the process is on a profile of ours alone"
            )]
            let _ = unsafe { libc::kill(pid, libc::SIGKILL) };
        }
    }
}

fn is_root() -> bool {
    #[expect(unsafe_code, reason = "the standard library does not tell the user")]
    // SAFETY: geteuid has no arguments and cannot fail.
    let user = unsafe { libc::geteuid() };
    user == 0
}
