//! Files under their hashed address.

use std::io::Read as _;

use flate2::read::GzDecoder;
use http::{Method, Request, StatusCode};

use crate::support::{app, assets, base, call, files, get, header, json, listed};

fn media_type(path: &str) -> &'static str {
    match path.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map(|(_, extension)| extension) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        _ => "text/plain; charset=utf-8",
    }
}

#[tokio::test]
async fn every_file_is_served_as_it_is_compressed_or_not() {
    let app = app();
    let base = base(&app).await;
    for path in files() {
        let content = std::fs::read(assets().join(&path)).unwrap();
        let address = format!("{base}/{path}");
        let (response, body) = get(&app, &address).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(body, content, "{path}");
        assert_eq!(header(&response, "content-type"), media_type(&path), "{path}");
        assert_eq!(header(&response, "content-length"), content.len().to_string(), "{path}");
        assert!(response.headers().get("content-encoding").is_none(), "{path}");

        let (response, body) = call(&app, Request::get(&address).header("accept-encoding", "br, gzip")).await;
        if response.headers().get("content-encoding").is_none() {
            // Compression would have made it no smaller.
            assert_eq!(body, content, "{path}");
            continue;
        }
        assert_eq!(header(&response, "content-encoding"), "gzip", "{path}");
        assert!(body.len() < content.len(), "{path}");
        let mut plain = Vec::new();
        GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap();
        assert_eq!(plain, content, "{path}");
    }
}

#[tokio::test]
async fn files_stay_in_caches_for_ever_and_may_do_little() {
    let app = app();
    let address = format!("{}/app/main.js", base(&app).await);
    let (response, _) = call(&app, Request::get(&address).header("accept-encoding", "gzip")).await;
    assert_eq!(header(&response, "cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(header(&response, "x-content-type-options"), "nosniff");
    assert!(listed(&response, "vary").contains(&"accept-encoding".to_owned()), "{:?}", response.headers());
    let policy = header(&response, "content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    let app = app();
    let address = format!("{}/app/main.js", base(&app).await);
    let mut tags = Vec::new();
    for encoding in ["gzip", "identity"] {
        let asked = || Request::get(&address).header("accept-encoding", encoding);
        let (response, _) = call(&app, asked()).await;
        let etag = header(&response, "etag").to_owned();
        for known in [etag.clone(), format!("\"other\", W/{etag}"), "*".to_owned()] {
            let (again, body) = call(&app, asked().header("if-none-match", &known)).await;
            assert_eq!((again.status(), body.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
            assert_eq!(header(&again, "etag"), etag);
            assert_eq!(header(&again, "cache-control"), header(&response, "cache-control"));
        }
        let (other, body) = call(&app, asked().header("if-none-match", "\"other\"")).await;
        assert!(other.status() == StatusCode::OK && !body.is_empty());
        tags.push(etag);
    }
    assert_ne!(tags[0], tags[1], "two representations have two tags");
}

#[tokio::test]
async fn head_tells_what_get_would() {
    let app = app();
    let address = format!("{}/app/main.js", base(&app).await);
    for encoding in ["gzip", "identity"] {
        let (told, body) = call(&app, Request::head(&address).header("accept-encoding", encoding)).await;
        let (got, _) = call(&app, Request::get(&address).header("accept-encoding", encoding)).await;
        assert!(body.is_empty());
        for name in ["content-length", "content-type", "etag", "cache-control"] {
            assert_eq!(header(&told, name), header(&got, name), "{name}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_that_no_cache_keeps() {
    let app = app();
    let base = base(&app).await;
    for (path, says) in [
        (format!("{base}/app/nothing.js"), "'app/nothing.js'"),
        (format!("{base}/index.html"), "'index.html'"),
        (format!("{base}/../Cargo.toml"), "no file"),
        (format!("{base}/..%2f..%2fCargo.toml"), "no file"),
        ("/assets/0000000000000000/app/main.js".to_owned(), "load the page again"),
    ] {
        let (response, body) = get(&app, &path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(header(&response, "content-type"), "application/problem+json", "{path}");
        assert!(response.headers().get("cache-control").is_none(), "{path}");
        let problem = json(&body);
        assert_eq!(problem["code"], "not-found");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(says)), "{problem}");
    }
    let (response, body) = get(&app, &format!("{base}/app/main.js?v=1")).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(json(&body)["detail"].as_str().is_some_and(|detail| detail.contains("'v' is unknown")));
    let refused = Request::builder().method(Method::POST).uri(format!("{base}/app/main.js"));
    let (response, _) = call(&app, refused).await;
    assert_eq!((response.status().as_u16(), header(&response, "allow")), (405, "GET,HEAD"));
}
