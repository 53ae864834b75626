//! The page at `/`: fresh each time, for browsers alone, and under a policy that lets nothing else in.

use http::{Request, StatusCode};
use souk_web::{Place, Places};

use crate::support::{Told, app, base, beside, browser, call, get, header, listed, page, text, web};

#[tokio::test]
async fn a_browser_gets_the_page_and_a_program_three_lines() {
    let app = app();
    let (response, body) = call(&app, browser("/")).await;
    assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&response, "content-encoding"), "gzip");
    assert_eq!(header(&response, "cache-control"), "no-cache");
    assert_eq!(header(&response, "referrer-policy"), "same-origin");
    assert_eq!(header(&response, "cross-origin-opener-policy"), "same-origin");
    assert_eq!(header(&response, "x-content-type-options"), "nosniff");
    let vary = listed(&response, "vary");
    assert!(["accept", "accept-encoding"].iter().all(|name| vary.contains(&(*name).to_owned())), "{vary:?}");
    assert!(!body.is_empty());

    let again = browser("/").header("if-none-match", header(&response, "etag"));
    let (again, body) = call(&app, again).await;
    assert_eq!((again.status(), body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert!(again.headers().contains_key("content-security-policy"), "a page from the cache gets it anew");

    let (response, body) = get(&app, "/").await;
    assert_eq!(header(&response, "content-type"), "text/plain; charset=utf-8");
    let about = text(&body);
    assert!(about.starts_with("a dashboard for tests\nsouk web "), "{about}");
    assert_eq!(about.lines().count(), 3, "{about}");
}

#[tokio::test]
async fn everything_that_the_page_names_is_there() {
    let app = app();
    let (page, base) = (page(&app).await, base(&app).await);
    assert!(!page.contains("{{"), "a place was not filled in: {page}");
    let named: Vec<&str> = ["href=\"", "src=\""]
        .iter()
        .flat_map(|attribute| page.split(attribute).skip(1))
        .map(|rest| rest.split('"').next().expect("it ends"))
        .collect();
    assert!(named.len() > 3, "{named:?}");
    for address in named {
        let known = address.starts_with(&base) || address == "config.json";
        assert!(known, "{address} is not one of ours");
        let address = if address.starts_with('/') { address.to_owned() } else { format!("/{address}") };
        assert_eq!(get(&app, &address).await.0.status(), StatusCode::OK, "{address}");
    }
}

#[tokio::test]
async fn nothing_is_inline() {
    let page = page(&app()).await;
    for (tag, rest) in page.split('<').filter_map(|tag| tag.split_once('>')) {
        let is_code = tag.starts_with("script") || tag.starts_with("style");
        assert!(!is_code || rest.trim().is_empty(), "<{tag}>{rest}");
        let attributes = tag.split_whitespace().skip(1).map(str::to_ascii_lowercase);
        for attribute in attributes {
            assert!(!attribute.starts_with("style=") && !attribute.starts_with("on"), "<{tag}>");
        }
    }
}

#[tokio::test]
async fn the_policy_names_the_services_and_nothing_else() {
    let app = app();
    let policy = async |request: http::request::Builder| {
        let (response, _) = call(&app, request.header("accept", "text/html")).await;
        header(&response, "content-security-policy").to_owned()
    };
    assert_eq!(
        policy(Request::get("/").header("host", "192.168.0.7:5173")).await,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src \
         'self' http://192.168.0.7:3000 http://192.168.0.7:3001 http://192.168.0.7:8080; worker-src 'self'; \
         manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let hostile = policy(Request::get("/").header("host", "a;script-src *")).await;
    assert!(hostile.contains("connect-src 'self' http://localhost:3000 "), "{hostile}");

    let here = |path| Place::Here { path };
    let one_port = Places { api: here(""), stream: here("/events/stream"), analytics: here("") };
    let (response, _) = call(&web(one_port, Told::new()).0, browser("/")).await;
    assert!(header(&response, "content-security-policy").contains("connect-src 'self'; "));

    let elsewhere = Places { api: Place::Url("https://shop.example/api".to_owned()), ..beside() };
    let (response, _) = call(&web(elsewhere, Told::new()).0, browser("/")).await;
    assert!(
        header(&response, "content-security-policy").contains(" https://shop.example http://localhost:3001 ")
    );
}

#[tokio::test]
async fn a_browser_is_told_of_the_first_list() {
    let link = async |places: Places| {
        let (response, _) = call(&web(places, Told::new()).0, browser("/")).await;
        let link = response.headers().get("link").map(|link| link.to_str().expect("it is text").to_owned());
        link.unwrap_or_default()
    };
    let rest = "/products?limit=100&sort=-createdAt>; rel=preload; as=fetch; crossorigin";
    assert_eq!(link(beside()).await, format!("<http://localhost:3000{rest}"));
    let at = |url: &str| Places { api: Place::Url(url.to_owned()), ..beside() };
    assert_eq!(link(at("https://shop.example/api")).await, format!("<https://shop.example/api{rest}"));
    for odd in ["https://shop.example/>;rel=x,<", "https://shop.example/a b", "https://shop.example/\n"] {
        assert_eq!(link(at(odd)).await, "", "{odd}");
    }
}
