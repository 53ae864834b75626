//! `/demo`: once at a time, into an empty shop, asked by the page itself.

use axum::Router;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::support::{Told, beside, call, get, header, json as read, web};

fn from(origin: &str) -> http::request::Builder {
    Request::post("/demo").header("origin", origin)
}

async fn state(app: &Router) -> Value {
    let (response, body) = get(app, "/demo").await;
    assert_eq!(header(&response, "cache-control"), "no-store");
    read(&body)
}

/// Waits until the demo is in `wanted`; the task gets its turn each time.
async fn until(app: &Router, wanted: &str) -> Value {
    for _ in 0..10_000 {
        let state = state(app).await;
        if state["state"] == wanted {
            return state;
        }
        tokio::task::yield_now().await;
    }
    panic!("the demo is {} and not {wanted}", state(app).await);
}

#[tokio::test]
async fn it_runs_once_and_tells_how_far_it_is() {
    let (app, sample, _) = web(beside(), Told::new());
    let idle = json!({"state": "idle", "linesDone": 0, "linesTotal": 0, "detail": ""});
    assert_eq!(state(&app).await, idle);
    let (response, body) = call(&app, from("http://localhost:5173")).await;
    assert_eq!((response.status(), &read(&body)["state"]), (StatusCode::ACCEPTED, &json!("running")));
    tokio::task::yield_now().await;
    let running = state(&app).await;
    assert_eq!((&running["linesDone"], &running["linesTotal"]), (&json!(1), &json!(2)), "{running}");

    let (response, body) = call(&app, from("http://localhost:5173")).await;
    let problem = read(&body);
    assert_eq!((response.status(), &problem["code"]), (StatusCode::CONFLICT, &json!("demo-refused")));
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("already")), "{problem}");

    sample.go.add_permits(1);
    let done = json!({"state": "done", "linesDone": 2, "linesTotal": 2, "detail": "all of it"});
    assert_eq!(until(&app, "done").await, done);
}

#[tokio::test]
async fn another_origins_page_is_refused() {
    let (app, ..) = web(beside(), Told::new());
    for origin in
        ["http://evil.example", "http://localhost:3000", "http://localhost.evil.example:5173", "null", ""]
    {
        let (response, body) = call(&app, from(origin)).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{origin}");
        assert_eq!(read(&body)["code"], "origin-refused");
    }
    assert_eq!(state(&app).await["state"], "idle");
    // Behind a proxy that speaks https, and from a program, which has no page.
    let (app, ..) = web(beside(), Told::new());
    let proxied = from("https://shop.example").header("host", "shop.example");
    assert_eq!(call(&app, proxied).await.0.status(), StatusCode::ACCEPTED);
    let (app, ..) = web(beside(), Told::new());
    assert_eq!(call(&app, Request::post("/demo")).await.0.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_shop_with_products_is_left_alone() {
    let (app, ..) = web(beside(), Told { empty: Ok(false), ..Told::new() });
    let (response, body) = call(&app, from("http://localhost:5173")).await;
    let problem = read(&body);
    assert_eq!((response.status(), &problem["code"]), (StatusCode::CONFLICT, &json!("demo-refused")));
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("has products")), "{problem}");
    assert_eq!(state(&app).await["state"], "idle");
}

#[tokio::test]
async fn without_the_api_nothing_begins() {
    let reason = "cannot reach api at http://localhost:3000".to_owned();
    let (app, ..) = web(beside(), Told { empty: Err(reason.clone()), ..Told::new() });
    let (response, body) = call(&app, from("http://localhost:5173")).await;
    let problem = read(&body);
    assert_eq!((response.status().as_u16(), &problem["code"]), (503, &json!("overloaded")));
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(&reason)), "{problem}");
    assert_eq!(state(&app).await["state"], "idle");
}

#[tokio::test]
async fn one_that_failed_says_why_and_may_go_on() {
    let told = Told { outcome: Err("the disk is full".to_owned()), ..Told::new() };
    told.go.add_permits(1);
    let (app, ..) = web(beside(), told);
    assert_eq!(call(&app, from("http://localhost:5173")).await.0.status(), StatusCode::ACCEPTED);
    assert_eq!(until(&app, "failed").await["detail"], "the disk is full");
    assert_eq!(call(&app, from("http://localhost:5173")).await.0.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn the_end_of_the_process_ends_it() {
    let (app, _, shutdown) = web(beside(), Told::new());
    assert_eq!(call(&app, from("http://localhost:5173")).await.0.status(), StatusCode::ACCEPTED);
    shutdown.soft.cancel();
    shutdown.tasks.close();
    shutdown.tasks.wait().await;
    assert_eq!(state(&app).await["state"], "failed");
}
