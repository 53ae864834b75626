//! What a person does with a browser. Whatever is looked for is waited for.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use souk_browser::{Lent, Node};

use crate::support::eventually;

/// Keys that are no letters, as WebDriver names them.
pub mod keys {
    pub const TAB: char = '\u{E004}';
    pub const ENTER: char = '\u{E007}';
    pub const ESCAPE: char = '\u{E00C}';
    pub const CONTROL: char = '\u{E009}';
    pub const DELETE: char = '\u{E017}';
    pub const UP: char = '\u{E013}';
    pub const DOWN: char = '\u{E015}';
}

/// What a console may say without failing the test.
type Tolerated = fn(&str) -> bool;

/// An open browser, at first with one tab. When it is dropped, its console must not have complained.
pub struct Browser {
    driver: Lent,
    tolerated: Vec<Tolerated>,
}

impl Browser {
    /// Opens a page and waits until it can be used.
    pub fn open(url: &str) -> Self {
        let browser = Self::blank();
        browser.visit(url);
        browser
    }

    /// Opens one that shows nothing yet.
    pub fn blank() -> Self {
        Self { driver: Lent::take().unwrap_or_else(|error| panic!("{error}")), tolerated: Vec::new() }
    }

    /// Runs `script` in this tab before the scripts of each page that it visits from now on.
    pub fn before_pages(&self, script: &str) {
        let source = json!({"source": script});
        self.must(self.driver.devtools("Page.addScriptToEvaluateOnNewDocument", &source));
    }

    /// Opens another tab, which is the one that is used from now on.
    pub fn new_tab(&self) {
        let tab = self.must(self.driver.command("POST", "/window/new", &json!({"type": "tab"})));
        self.must(self.driver.command("POST", "/window", &json!({"handle": tab["handle"]})));
    }

    /// Goes to the tab that was opened as the `n`th, from 0, of those that are open.
    pub fn to_tab(&self, n: usize) {
        let tabs = self.must(self.driver.command("GET", "/window/handles", &Value::Null));
        self.must(self.driver.command("POST", "/window", &json!({"handle": tabs[n]})));
    }

    /// Closes the tab; another one has to be gone to.
    pub fn close_tab(&self) {
        self.must(self.driver.command("DELETE", "/window", &Value::Null));
    }

    /// Lets the console say what `tolerated` takes, such as the network's own words about a refusal that is tested.
    #[must_use]
    pub fn tolerating(mut self, tolerated: Tolerated) -> Self {
        self.tolerated.push(tolerated);
        self
    }

    /// Goes to an address and waits until the page can be used.
    pub fn visit(&self, url: &str) {
        self.must(self.driver.command("POST", "/url", &json!({"url": url})));
        self.wait_ready();
    }

    pub fn reload(&self) {
        self.must(self.driver.command("POST", "/refresh", &json!({})));
        self.wait_ready();
    }

    fn wait_ready(&self) {
        eventually("the page can be used", || {
            let ready = self.driver.script("return document.documentElement.dataset.ready", &[]).ok()?;
            (ready == "true").then_some(())
        });
    }

    /// Goes to an address and waits for nothing of souk's there.
    pub fn visit_other(&self, url: &str) {
        self.must(self.driver.command("POST", "/url", &json!({"url": url})));
    }

    /// Goes back to the page before, which the browser may have put aside as it was.
    pub fn back(&self) {
        self.must(self.driver.command("POST", "/back", &json!({})));
    }

    /// Returns the address after its `#`, as a reader would copy it.
    pub fn hash(&self) -> String {
        self.script("return location.hash").as_str().unwrap_or_default().to_owned()
    }

    /// Closes the tab, for another in which nothing is, and waits until what the page had started is over. Going elsewhere
    /// is less: the browser keeps the page aside, and its SharedWorker goes on.
    pub fn leave(&self) {
        let tab = self.must(self.driver.command("POST", "/window/new", &json!({"type": "tab"})));
        self.close_tab();
        self.must(self.driver.command("POST", "/window", &json!({"handle": tab["handle"]})));
        eventually("nothing of souk runs any more", || {
            let targets = self.driver.devtools("Target.getTargets", &json!({})).ok()?;
            let targets = targets["targetInfos"].as_array()?;
            (!targets.iter().any(|target| target["type"] == "shared_worker")).then_some(())
        });
    }

    /// Waits until nothing is being fetched, moved or drawn any more.
    pub fn settle(&self) {
        eventually("the page is at rest", || {
            let rest = self.later(
                "const quiet = () => document.getAnimations()
                   // What never ends, such as a dot that breathes, is no change.
                   .every((a) => a.playState !== 'running' || a.effect.getComputedTiming().iterations === Infinity)
                   && !document.querySelector('.skeleton, [aria-busy=true]');
                 requestAnimationFrame(() => requestAnimationFrame(() => done(quiet())));",
            );
            (rest == true).then_some(())
        });
    }

    /// Goes to a page of the dashboard by its link in the navigation, and waits for its heading.
    pub fn go(&self, page: &str) {
        self.click("link", &format!("{page}…"));
        self.find("heading", page);
    }

    /// Waits for something of that role and name; `…` at the end of a name stands for anything.
    pub fn find(&self, role: &str, name: &str) -> Node {
        eventually(&format!("{role} {name:?}"), || self.look(role, name).into_iter().next())
    }

    /// Returns everything of that role and name that is there now.
    pub fn look(&self, role: &str, name: &str) -> Vec<Node> {
        // A page that is being replaced has nothing.
        souk_browser::find(&self.driver, role, name).unwrap_or_default()
    }

    /// Waits until nothing of that role and name is there.
    pub fn gone(&self, role: &str, name: &str) {
        eventually(&format!("no {role} {name:?} any more"), || {
            self.look(role, name).is_empty().then_some(())
        });
    }

    /// Waits until the input of that name holds `value`.
    pub fn holds(&self, role: &str, name: &str, value: &str) {
        let mut last = String::new();
        eventually(&format!("{role} {name:?} holds {value:?}"), || {
            last = self.look(role, name).first()?.value.clone();
            (last == value).then_some(())
        });
    }

    /// Waits until the words are somewhere in what the page shows.
    pub fn reads(&self, words: &str) {
        eventually(&format!("the page says {words:?}"), || self.text().contains(words).then_some(()));
    }

    /// Returns what the page shows, as text.
    pub fn text(&self) -> String {
        let text = self.driver.script("return document.body.innerText", &[]).unwrap_or_default();
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Presses the pointer's button on something.
    pub fn click(&self, role: &str, name: &str) {
        let mut before = None;
        let (x, y) = eventually(&format!("{role} {name:?} can be clicked"), || {
            // Between being found and being looked at it may be drawn anew.
            let place = self.look(role, name).first()?.hit(&self.driver).ok()?;
            // A page that is still being laid out would move it away from under the pointer.
            let still = place.is_some() && before == place;
            before = place;
            place.filter(|_| still)
        });
        self.must(souk_browser::click(&self.driver, x, y));
    }

    /// Takes the pointer away from everything: what it points at keeps still.
    pub fn point_away(&self) {
        self.must(souk_browser::point(&self.driver, 1, 1));
    }

    /// Presses and releases keys, one after the other.
    pub fn press(&self, keys: &str) {
        self.must(souk_browser::press(&self.driver, keys));
    }

    /// Puts `text` in place of what the input of that name holds.
    pub fn fill(&self, role: &str, name: &str, text: &str) {
        self.click(role, name);
        self.must(souk_browser::chord(&self.driver, keys::CONTROL, 'a'));
        self.press(text);
    }

    /// Chooses an option by its words, with the keyboard.
    pub fn choose(&self, name: &str, option: &str) {
        self.focus("combobox", name);
        self.press(option);
        self.press(&keys::TAB.to_string());
    }

    /// Presses Tab until something with that name has the focus; `…` at its end stands for anything.
    pub fn tab_to(&self, name: &str) {
        /// More stops than any page has before what a test looks for.
        const STOPS: usize = 60;
        let mut seen = Vec::new();
        for _ in 0..STOPS {
            self.press(&keys::TAB.to_string());
            let at = self.focused();
            let there = name.strip_suffix('…').map_or(at == name, |beginning| at.starts_with(beginning));
            if there {
                return;
            }
            seen.push(at);
        }
        panic!("Tab does not come to {name:?}, only to {seen:?}");
    }

    /// Returns the name of what has the focus.
    pub fn focused(&self) -> String {
        self.must(souk_browser::focused(&self.driver)).map(|node| node.name).unwrap_or_default()
    }

    /// Gives something the focus, as a reader's software may.
    pub fn focus(&self, role: &str, name: &str) {
        self.must_do(&self.find(role, name), "function() { this.focus() }");
    }

    fn must_do(&self, node: &Node, function: &str) {
        self.must(node.call(&self.driver, function, &[]));
    }

    /// Runs the body of a function in the page.
    pub fn script(&self, body: &str) -> Value {
        self.must(self.driver.script(body, &[]))
    }

    /// Runs the body of a function that hands its result to `done`.
    pub fn later(&self, body: &str) -> Value {
        let body = format!("const done = arguments[arguments.length - 1]; {body}");
        self.must(self.driver.async_script(&body, &[]))
    }

    /// Sets what the reader's system prefers: `light` or `dark`; nothing moves.
    pub fn prefer(&self, scheme: &str) {
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}
        ]);
        self.must(self.driver.devtools("Emulation.setEmulatedMedia", &json!({"features": features})));
    }

    /// Sets the language and the manners of the reader's system, for pages that are visited from now on.
    pub fn prefer_locale(&self, locale: &str) {
        self.must(self.driver.devtools("Emulation.setLocaleOverride", &json!({"locale": locale})));
    }

    /// Makes the window as wide and high as a screen of that size.
    pub fn resize(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.must(self.driver.devtools("Emulation.setDeviceMetricsOverride", &size));
    }

    /// Returns what the console complained of since the last time.
    pub fn complaints(&self) -> Vec<String> {
        let entries = self.must(self.driver.console());
        let bad = entries.iter().filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING");
        let words = bad.map(|entry| format!("{} {}", entry["source"], entry["message"]));
        words.filter(|words| !self.tolerated.iter().any(|tolerated| tolerated(words))).collect()
    }

    fn must<T>(&self, outcome: Result<T, String>) -> T {
        outcome.unwrap_or_else(|error| panic!("the browser refuses: {error}"))
    }

    /// Keeps a picture of the page, and returns where.
    fn picture(&self) -> Option<String> {
        let picture = self.driver.devtools("Page.captureScreenshot", &json!({"format": "png"})).ok()?;
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("test").replace("::", "-");
        let path = (0..).map(|n| folder.join(format!("{name}-{n}.png"))).find(|path| !path.exists())?;
        std::fs::write(&path, BASE64.decode(picture["data"].as_str()?).ok()?).ok()?;
        Some(path.display().to_string())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let complaints = self.driver.console().unwrap_or_default();
            eprintln!("what the page showed:\n{}\nwhat its console said: {complaints:#?}", self.text());
            if let Some(path) = self.picture() {
                eprintln!("a picture of it: {path}");
            }
            return;
        }
        let complaints = self.complaints();
        assert!(complaints.is_empty(), "the console complains: {complaints:#?}");
    }
}
