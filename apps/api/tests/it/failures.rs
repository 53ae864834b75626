//! What a store in trouble looks like from outside.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::Value;
use souk_contract_check::Exchange;
use souk_domain::{Product, ProductId, Rejection};
use souk_ports::{
    Catalog, CatalogRow, ErrorKind, ExecuteError, Outcome, PortError, ProductPage, ProductQuery, RandomIds,
    Refusal, StoreHealth, SystemClock, UnitOfWork,
};
use tower::ServiceExt as _;

use crate::support::{CONTRACT, router};

const SECRET: &str = "password=hunter2";

/// A catalog where everything goes wrong in one way.
struct Broken {
    write: fn() -> ExecuteError,
    read: ErrorKind,
    health: Result<Option<&'static str>, ()>,
}

#[async_trait]
impl Catalog for Broken {
    async fn execute(&self, _: UnitOfWork) -> Result<Outcome, ExecuteError> {
        Err((self.write)())
    }

    async fn product(&self, _: ProductId) -> Result<Option<Product>, PortError> {
        Err(PortError::new(self.read, "cannot read").with_source(SECRET))
    }

    async fn products(&self, _: &ProductQuery) -> Result<ProductPage, PortError> {
        Err(PortError::new(self.read, "cannot list").with_source(SECRET))
    }

    async fn scan(&self, _: Option<ProductId>, _: usize) -> Result<Vec<CatalogRow>, PortError> {
        unreachable!("the api does not scan")
    }

    async fn health(&self) -> Result<StoreHealth, PortError> {
        match self.health {
            Ok(problem) => Ok(StoreHealth {
                problem: problem.map(str::to_owned),
                detail: "a broken store".to_owned(),
                figures: vec![("walBytes", 7)],
            }),
            Err(()) => Err(PortError::new(ErrorKind::Unavailable, "cannot reach the store")),
        }
    }
}

fn broken(write: fn() -> ExecuteError, read: ErrorKind, health: Result<Option<&'static str>, ()>) -> Router {
    router(Arc::new(Broken { write, read, health }), Arc::new(SystemClock), Arc::new(RandomIds))
}

async fn ask(router: Router, method: &str, path: &str, body: &str) -> (u16, Option<String>, Value) {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let response = router.oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let (parts, received) = response.into_parts();
    let (sent, body) = (body.as_bytes(), received.collect().await.unwrap().to_bytes());
    let (status, headers) = (parts.status.as_u16(), &parts.headers);
    CONTRACT.check(&Exchange { method, target: path, sent, status, headers, body: Some(&body) });
    let text = String::from_utf8_lossy(&body);
    assert!(!text.contains(SECRET), "{text}");
    let retry = parts.headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (parts.status.as_u16(), retry, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn every_failure_of_a_write_has_its_code() {
    type Case = (fn() -> ExecuteError, u16, &'static str);
    let cases: [Case; 8] = [
        (|| ExecuteError::Overloaded("the disk is full: make room".into()), 503, "overloaded"),
        (|| ExecuteError::OutcomeUnknown(SECRET.into()), 500, "outcome-unknown"),
        (|| ExecuteError::KeyReused, 422, "idempotency-key-reused"),
        (|| PortError::new(ErrorKind::Unavailable, "gone").with_source(SECRET).into(), 503, "overloaded"),
        (|| PortError::new(ErrorKind::Timeout, SECRET).into(), 500, "outcome-unknown"),
        (|| PortError::new(ErrorKind::Internal, SECRET).into(), 500, "internal"),
        (|| PortError::new(ErrorKind::InvalidData, SECRET).into(), 500, "internal"),
        (already_exists, 500, "internal"),
    ];
    let id = "01990000-0000-7000-8000-000000000001";
    let order = format!(r#"{{"items":[{{"productId":"{id}","delta":1,"reason":"other"}}]}}"#);
    for (write, status, code) in cases {
        for (method, path, body) in [
            ("POST", "/products".to_owned(), r#"{"name":"n","price":1,"stock":1,"sellerId":"s"}"#),
            ("PUT", format!("/products/{id}"), r#"{"name":"n","price":1,"stock":1}"#),
            ("PATCH", format!("/products/{id}"), "{}"),
            ("DELETE", format!("/products/{id}"), ""),
            ("POST", format!("/products/{id}/stock-adjustments"), r#"{"delta":1,"reason":"other"}"#),
            ("POST", "/stock-adjustments".to_owned(), &order),
        ] {
            // The others take no key, so that no catalog says this of them.
            if code == "idempotency-key-reused" && method != "POST" {
                continue;
            }
            let router = broken(write, ErrorKind::Internal, Ok(None));
            let (actual, retry, body) = ask(router, method, &path, body).await;
            assert_eq!((actual, body["code"].as_str()), (status, Some(code)), "{method} {path}: {body}");
            assert_eq!(retry.is_some(), status == 503, "{method} {path}");
        }
    }
}

fn already_exists() -> ExecuteError {
    let product_id = "01990000-0000-7000-8000-000000000001".parse().unwrap();
    ExecuteError::Rejected(vec![Refusal { index: 0, rejection: Rejection::AlreadyExists { product_id } }])
}

#[tokio::test]
async fn overload_names_its_cause() {
    let router = broken(
        || ExecuteError::Overloaded("the disk is full: make room".into()),
        ErrorKind::Internal,
        Ok(None),
    );
    let (_, _, body) =
        ask(router, "POST", "/products", r#"{"name":"n","price":1,"stock":1,"sellerId":"s"}"#).await;
    assert_eq!(body["detail"], "the disk is full: make room");
}

#[tokio::test]
async fn every_failure_of_a_read_has_its_code() {
    for (read, path, status, code) in [
        (ErrorKind::Unavailable, "/products", 503, "overloaded"),
        (ErrorKind::Timeout, "/products", 503, "overloaded"),
        (ErrorKind::Internal, "/products", 500, "internal"),
        (ErrorKind::InvalidData, "/products", 500, "internal"),
        (ErrorKind::InvalidData, "/products?cursor=x", 400, "malformed-request"),
        (ErrorKind::Unavailable, "/products/01990000-0000-7000-8000-000000000001", 503, "overloaded"),
        (ErrorKind::InvalidData, "/products/01990000-0000-7000-8000-000000000001", 500, "internal"),
    ] {
        let (actual, _, body) =
            ask(broken(|| ExecuteError::KeyReused, read, Ok(None)), "GET", path, "").await;
        assert_eq!((actual, body["code"].as_str()), (status, Some(code)), "{read:?} {path}");
    }
}

#[tokio::test]
async fn health_follows_the_store() {
    for (health, status, word, ready) in [
        (Ok(None), 200, "ok", 200),
        (Ok(Some("the disk is full")), 200, "degraded", 200),
        (Err(()), 503, "unavailable", 503),
    ] {
        let router = broken(|| ExecuteError::KeyReused, ErrorKind::Internal, health);
        let (actual, _, body) = ask(router.clone(), "GET", "/health", "").await;
        assert_eq!((actual, body["status"].as_str()), (status, Some(word)));
        if let Ok(Some(problem)) = health {
            assert!(body["checks"]["catalog"]["detail"].as_str().unwrap().contains(problem), "{body}");
            assert_eq!(body["checks"]["catalog"]["walBytes"], 7);
        }
        assert_eq!(ask(router, "GET", "/readyz", "").await.0, ready);
    }
}
