//! A souk of a test's own, and what other people do in it meanwhile.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::support::{Client, Souk, Start, eventually};

/// Browsers take turns; one that failed does not keep the others from theirs.
static TURN: Mutex<()> = Mutex::new(());

/// A running installation; ends with this value.
pub struct Shop {
    pub souk: Souk,
    pub folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Shop {
    pub fn start() -> Self {
        Self::start_with(|start| start)
    }

    /// Starts one with more settings.
    pub fn start_with(settings: impl FnOnce(Start) -> Start) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().expect("a scratch folder");
        let souk = settings(Start::new(folder.path())).start();
        Self { souk, folder, _turn: turn }
    }

    /// Kills it as a power cut would, and starts it again on the same data.
    pub fn power_cut(&mut self, settings: impl Fn(Start) -> Start) {
        self.souk.signal(libc::SIGKILL);
        self.souk.wait();
        self.souk = settings(Start::new(self.folder.path())).start();
    }

    pub fn url(&self) -> String {
        format!("http://localhost:{}/", self.souk.ports.web)
    }

    /// Opens the dashboard in a browser of its own.
    pub fn visit(&self) -> Browser {
        Browser::open(&self.url())
    }

    pub fn api(&self) -> Client {
        self.souk.api()
    }

    /// Creates a product with a threshold of 5; returns its id.
    pub fn product(&self, name: &str, seller: &str, stock: u32) -> String {
        create(&mut self.api(), name, seller, stock)
    }

    /// Creates `several` as [`Self::product`] does, a few at a time.
    pub fn products(&self, several: &[(String, &str, u32)]) {
        std::thread::scope(|scope| {
            for some in several.chunks(several.len().div_ceil(8)) {
                let mut api = self.api();
                scope.spawn(move || {
                    for (name, seller, stock) in some {
                        create(&mut api, name, seller, *stock);
                    }
                });
            }
        });
    }

    /// Sells some of a product.
    pub fn sell(&self, id: &str, pieces: u32) {
        let body = json!({"delta": -i64::from(pieces), "reason": "sale"}).to_string();
        let sold = self.api().post(&format!("/products/{id}/stock-adjustments"), &body);
        assert_eq!(sold.status, 200, "{}", sold.text());
    }

    /// Changes a product as another person would.
    pub fn change(&self, id: &str, change: &Value) {
        let headers = [("Content-Type", "application/merge-patch+json")];
        let body = change.to_string();
        let changed = self.api().call("PATCH", &format!("/products/{id}"), &headers, Some(&body));
        assert_eq!(changed.status, 200, "{}", changed.text());
    }

    /// Returns the product, or `Null` when there is none.
    pub fn read(&self, id: &str) -> Value {
        let reply = self.api().get(&format!("/products/{id}"));
        if reply.status == 404 { Value::Null } else { reply.json() }
    }

    /// Waits until analytics tells of `key`, a seller or a category: a page that asks then is told, too.
    pub fn counted(&self, by: &str, key: &str) {
        let path = format!("/aggregates?window=all&by={by}&key={key}");
        eventually(&format!("analytics has counted {by} {key}"), || {
            let known = self.souk.analytics().get(&path).json();
            known["items"].as_array().is_some_and(|items| !items.is_empty()).then_some(())
        });
    }

    /// Waits until the product is as `wanted` says.
    pub fn until(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) {
        eventually(what, || wanted(&self.read(id)).then_some(()));
    }

    /// Returns the product of that name.
    pub fn named(&self, name: &str) -> Option<Value> {
        let list = self.api().get("/products?limit=500").json();
        let mut items = list["items"].as_array().cloned().unwrap_or_default().into_iter();
        items.find(|item| item["name"] == name)
    }
}

fn create(api: &mut Client, name: &str, seller: &str, stock: u32) -> String {
    let body =
        json!({"name": name, "sellerId": seller, "stock": stock, "price": 12.5, "lowStockThreshold": 5});
    let created = api.post("/products", &body.to_string());
    assert_eq!(created.status, 201, "{}", created.text());
    created.json()["id"].as_str().expect("an id").to_owned()
}

/// The network's own words about an answer that is part of the test.
pub fn refusals(words: &str) -> bool {
    words.contains("\"network\"") && (words.contains("status of 412") || words.contains("status of 404"))
}

/// The network's own words about a server that is away.
pub fn outages(words: &str) -> bool {
    words.contains("net::ERR_")
}
