//! What a browser fetches before the products are there: little, and told of at once.

use std::collections::BTreeSet;

use http::StatusCode;

use crate::support::{app, assets, base, browser, call, get, header, page, text};

/// All of it, its worker included, as it goes over the wire: half a second on a slow mobile network.
const MOST_BYTES: usize = 60_000;

/// Requests until the products can be asked for: the page, its sheet, its modules, its settings, its icon.
const MOST_FILES: usize = 5;

/// The module that the page starts with, and that of its worker.
const SCRIPTS: [&str; 2] = ["app/main.js", "app/stream/worker.js"];

/// Returns the addresses that the page names.
fn named(page: &str) -> BTreeSet<String> {
    let attributes = ["href=\"", "src=\""].into_iter().flat_map(|attribute| page.split(attribute).skip(1));
    attributes.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

#[tokio::test]
async fn all_of_it_is_small_and_in_few_files() {
    let app = app();
    let base = base(&app).await;
    let mut addresses = named(&page(&app).await);
    assert!(addresses.len() < MOST_FILES, "{addresses:?}");
    assert!(addresses.remove("config.json"), "what the page asks first is told of");
    addresses.extend(["/".to_owned(), "/config.json".to_owned()]);
    addresses.extend(SCRIPTS.map(|path| format!("{base}/{path}")));
    let mut sizes = Vec::new();
    for address in addresses {
        let (response, body) = call(&app, browser(&address)).await;
        assert_eq!(response.status(), StatusCode::OK, "{address}");
        sizes.push((body.len(), address));
    }
    let sum: usize = sizes.iter().map(|(size, _)| size).sum();
    assert!(sum <= MOST_BYTES, "{sum} bytes: {sizes:#?}");
}

/// What is joined imports nothing, so that no browser finds out later what else it needs.
#[tokio::test]
async fn the_page_and_its_worker_are_one_module_each() {
    let app = app();
    let base = base(&app).await;
    for path in SCRIPTS {
        let (response, body) = get(&app, &format!("{base}/{path}")).await;
        assert_eq!(header(&response, "content-type"), "text/javascript; charset=utf-8");
        let code = text(&body);
        let imports: Vec<_> = code.lines().filter(|line| line.starts_with("import")).collect();
        assert!(imports.is_empty(), "{path}: {imports:?}");
    }
}

/// Two of a module would be two of its signals: what is joined is nowhere else, and whoever needs it has it from there.
#[tokio::test]
async fn what_is_joined_is_served_once() {
    let app = app();
    let base = base(&app).await;
    let (_, page) = get(&app, &format!("{base}/app/main.js")).await;
    let page = text(&page);
    let joined: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("// ")).collect();
    assert!(joined.contains(&"app/html.js") && joined.contains(&"vendor/preact.js"), "{joined:?}");
    assert!(joined.contains(&"app/pages/products.js"), "the first page comes along: {joined:?}");
    assert!(
        !joined.contains(&"app/pages/low-stock.js") && !joined.contains(&"vendor/uplot.js"),
        "{joined:?}"
    );
    for path in joined.iter().filter(|path| **path != "app/main.js") {
        assert_eq!(get(&app, &format!("{base}/{path}")).await.0.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(assets().join(path).exists(), "{path} is in the checkout");
    }
    let (_, later) = get(&app, &format!("{base}/app/pages/low-stock.js")).await;
    let later = text(&later);
    assert!(later.contains("from \"../main.js\";const { html,"), "{later}");
    assert!(!later.contains("\"../html.js\""), "{later}");
}
