//! What every service does around its routes.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::Value;
use souk_http::{Code, Status};

use crate::support::{app, call, header, json, send, service};

#[tokio::test]
async fn the_routers_own_refusals_are_problem_documents() {
    let app = app();
    let (response, body) = call(&app, Request::get("/nothing/here?x=1").header("x-request-id", "r-1")).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(header(&response, "content-type"), "application/problem+json");
    assert_eq!(
        body,
        r#"{"type":"/problems/not-found","title":"Not found","status":404,"detail":"there is nothing at /nothing/here; GET / tells what there is","instance":"/nothing/here","code":"not-found","requestId":"r-1"}"#
    );

    for method in [Method::DELETE, Method::OPTIONS, Method::from_bytes(b"MADE-UP").unwrap()] {
        let (response, body) = call(&app, Request::builder().method(method).uri("/things/1")).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(header(&response, "allow"), "GET,HEAD,PUT");
        assert_eq!(json(&body)["code"], "method-not-allowed");
    }
    let (response, _) = call(&app, Request::post("/health")).await;
    assert_eq!((response.status().as_u16(), header(&response, "allow")), (405, "GET,HEAD"));
}

#[tokio::test]
async fn a_panic_is_an_internal_problem_and_the_service_goes_on() {
    let app = app();
    let (response, body) = call(&app, Request::get("/panics")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(json(&body)["code"], "internal");
    assert!(!body.contains("on purpose"), "{body}");
    assert_eq!(call(&app, Request::get("/things/1")).await.0.status(), StatusCode::OK);
}

#[tokio::test]
async fn causes_stay_out_of_answers() {
    let (response, body) = call(&app(), Request::get("/fails")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!body.contains("secret"), "{body}");
    assert_eq!(json(&body)["requestId"], header(&response, "x-request-id"));
}

#[tokio::test]
async fn refusals_that_no_code_of_ours_made_become_problem_documents() {
    let (response, body) = call(&app(), Request::get("/plain")).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(json(&body)["code"], "malformed-request");
}

#[tokio::test]
async fn overload_says_when_to_come_back() {
    let (response, body) = call(&app(), Request::get("/overloaded")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header(&response, "retry-after"), "7");
    assert_eq!(json(&body)["detail"], "queue full");
}

#[tokio::test]
async fn every_answer_carries_a_request_id() {
    let app = app();
    for path in ["/things/1", "/", "/livez", "/nothing", "/panics"] {
        let (response, _) = call(&app, Request::get(path).header("x-request-id", "mine_1.2-3")).await;
        assert_eq!(header(&response, "x-request-id"), "mine_1.2-3", "{path}");
        let (response, _) = call(&app, Request::get(path).header("x-request-id", "<bad>")).await;
        assert_eq!(header(&response, "x-request-id").len(), 27, "{path}");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff", "{path}");
    }
}

#[tokio::test]
async fn head_has_the_head_of_get_and_no_body() {
    let app = app();
    let (response, body) = call(&app, Request::head("/things/1")).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "content-length"), body.as_str()),
        (200, "7", "")
    );
    let (response, body) = call(&app, Request::head("/nothing")).await;
    assert_eq!((response.status().as_u16(), body.as_str()), (404, ""));
}

#[tokio::test]
async fn the_root_is_three_lines_for_curl_and_a_page_for_browsers() {
    let app = app();
    let (response, body) = call(&app, Request::get("/").header("accept", "*/*")).await;
    assert_eq!(header(&response, "content-type"), "text/plain; charset=utf-8");
    let version = souk_http::VERSION;
    assert_eq!(body, format!("a service for tests\nsouk test {version}, embedded\n/things, /echo\n"));
    let (response, body) = call(&app, Request::get("/").header("accept", "text/html,*/*;q=0.8")).await;
    assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
    assert!(body.contains("<a href=\"/things\">") && body.contains(version), "{body}");
}

#[tokio::test]
async fn unknown_parameters_are_named_on_every_page() {
    for path in ["/", "/health", "/livez", "/readyz", "/metrics", "/problems/internal"] {
        let (response, body) = call(&app(), Request::get(format!("{path}?verbsoe=1&x"))).await;
        assert_eq!(
            (response.status().as_u16(), json(&body)["code"].as_str()),
            (400, Some("malformed-request"))
        );
        assert!(body.contains("'verbsoe' is unknown, 'x' is unknown"), "{path}: {body}");
        assert_eq!(call(&app(), Request::get(format!("{path}?"))).await.0.status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn every_code_has_a_page() {
    let app = app();
    for code in Code::ALL {
        let path = format!("/problems/{}", code.as_str());
        let (response, body) = call(&app, Request::get(&path)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(body.contains(code.explanation()), "{body}");
        let (_, body) = call(&app, Request::get(&path).header("accept", "text/html")).await;
        assert!(body.starts_with("<!doctype html>") && body.contains(code.title()), "{body}");
        assert!(code.status().is_client_error() || code.status().is_server_error());
    }
    let (response, body) = call(&app, Request::get("/problems/made-up")).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(body.contains("sku-taken"), "{body}");
}

#[tokio::test]
async fn health_is_as_well_as_the_worst_check() {
    for (status, word, health, ready) in [
        (Status::Ok, "ok", 200, 200),
        (Status::Degraded, "degraded", 200, 200),
        (Status::Unavailable, "unavailable", 503, 503),
    ] {
        let app = service(status, "*");
        let (response, body) = call(&app, Request::get("/health")).await;
        assert_eq!(response.status().as_u16(), health);
        let mut document = json(&body);
        assert!(document["uptimeSeconds"].take().is_u64());
        assert_eq!(
            document,
            serde_json::json!({"status": word, "service": "test", "version": souk_http::VERSION, "backend": "embedded",
                "uptimeSeconds": Value::Null, "checks": {"store": {"status": word, "detail": "as told", "rows": 3}}})
        );
        assert_eq!(call(&app, Request::get("/readyz")).await.0.status().as_u16(), ready);
        assert_eq!(call(&app, Request::get("/livez")).await.0.status().as_u16(), 200);
    }
}

#[tokio::test]
async fn metrics_count_by_route_template_and_never_by_id() {
    let app = app();
    for id in 0..3 {
        call(&app, Request::get(format!("/things/{id}"))).await;
    }
    call(&app, Request::builder().method("MADE-UP-1").uri("/things/1")).await;
    call(&app, Request::get("/made/up")).await;
    let (response, text) = call(&app, Request::get("/metrics")).await;
    assert_eq!(header(&response, "content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        r#"souk_http_requests_total{method="GET",route="/things/{id}",status="200"} 3"#,
        r#"souk_http_requests_total{method="OTHER",route="/things/{id}",status="405"} 1"#,
        r#"souk_http_requests_total{method="GET",route="unmatched",status="404"} 1"#,
        r#"souk_http_request_duration_seconds_count{method="GET",route="/things/{id}"} 3"#,
        r#"souk_build_info{service="test""#,
        "# TYPE souk_build_info gauge",
        "# TYPE souk_http_requests_total counter",
        "# HELP souk_http_requests_total Requests answered.",
        "# TYPE souk_http_request_duration_seconds histogram",
    ] {
        assert!(text.contains(line), "{line} not in\n{text}");
    }
    assert!(!text.contains("MADE") && !text.contains("/made/up"), "{text}");
    // Parsers of the older format refuse a type that they do not know.
    assert!(!text.contains(" info\n") && !text.contains("# UNIT") && !text.contains("# EOF"), "{text}");
    let open = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let (response, text) = call(&app, Request::get("/metrics").header("accept", open)).await;
    assert!(text.contains("# TYPE souk_build info\n") && text.ends_with("# EOF\n"), "{text}");
    assert!(header(&response, "content-type").starts_with("application/openmetrics-text"));
}

#[tokio::test]
async fn other_origins_may_call_and_see_our_headers() {
    let app = app();
    let (response, _) = call(&app, Request::get("/things/1").header("origin", "http://shop.example")).await;
    assert_eq!(header(&response, "access-control-allow-origin"), "*");
    assert_eq!(header(&response, "access-control-allow-credentials"), "");
    assert_eq!(
        header(&response, "access-control-expose-headers"),
        "etag,location,link,retry-after,x-request-id,idempotent-replayed"
    );
    // A problem must be readable from elsewhere too, whoever made it.
    for path in ["/nothing", "/panics", "/overloaded"] {
        let (response, _) = call(&app, Request::get(path).header("origin", "http://shop.example")).await;
        assert_eq!(header(&response, "access-control-allow-origin"), "*", "{path}");
        assert_eq!(header(&response, "content-type"), "application/problem+json", "{path}");
    }
}

#[tokio::test]
async fn preflights_are_answered() {
    let preflight = |origin| {
        Request::options("/things/1")
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "if-match,idempotency-key,content-type")
    };
    let (response, _) = call(&app(), preflight("http://shop.example")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "access-control-allow-origin"), "*");
    assert!(header(&response, "access-control-allow-methods").contains("PATCH"));
    for name in [
        "authorization",
        "cache-control",
        "content-type",
        "if-match",
        "if-none-match",
        "idempotency-key",
        "last-event-id",
        "x-seller-id",
    ] {
        assert!(header(&response, "access-control-allow-headers").contains(name), "{name}");
    }

    let listed = service(Status::Ok, "http://shop.example, http://localhost:5173");
    let (response, _) = call(&listed, preflight("http://localhost:5173")).await;
    assert_eq!(header(&response, "access-control-allow-origin"), "http://localhost:5173");
    let (response, _) = call(&listed, preflight("http://evil.example")).await;
    assert_eq!(header(&response, "access-control-allow-origin"), "");
    // As somebody may write it, which no browser does.
    let listed = service(Status::Ok, "https://Shop.example:443");
    let (response, _) = call(&listed, preflight("https://shop.example")).await;
    assert_eq!(header(&response, "access-control-allow-origin"), "https://shop.example");
}

#[tokio::test]
async fn caches_are_told_that_origins_differ() {
    let (response, _) = call(&app(), Request::get("/things/1")).await;
    assert_eq!(header(&response, "vary"), "origin");
    let listed = service(Status::Ok, "http://a.example");
    for origin in ["http://a.example", "http://b.example"] {
        let (response, _) = call(&listed, Request::get("/things/1").header("origin", origin)).await;
        assert!(header(&response, "vary").contains("origin"), "{origin}");
    }
}

#[tokio::test]
async fn unknown_paths_read_the_body_before_they_refuse_it() {
    let body = Body::from(vec![b'x'; 3 << 20]);
    let (response, _) = send(&app(), Request::post("/nothing").body(body).unwrap()).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}
