//! `/config.json`: where the services are, for whoever asks.

use http::{Request, StatusCode};
use serde_json::json;
use souk_web::{Place, Places};

use crate::support::{Told, app, beside, call, get, header, json as read, web};

#[tokio::test]
async fn services_of_the_process_are_on_the_host_that_the_visitor_uses() {
    let (response, body) =
        call(&app(), Request::get("/config.json").header("host", "192.168.0.7:5173")).await;
    assert_eq!(header(&response, "content-type"), "application/json");
    assert_eq!(header(&response, "cache-control"), "no-store");
    assert_eq!(
        read(&body),
        json!({
            "apiUrl": "http://192.168.0.7:3000",
            "sseUrl": "http://192.168.0.7:3001/events/stream",
            "analyticsUrl": "http://192.168.0.7:8080",
            "version": souk_http::VERSION,
            "backend": "embedded",
            "time": "2023-11-14T22:13:20.123Z",
        })
    );
}

#[tokio::test]
async fn on_one_port_they_are_where_the_page_is() {
    let here = |path| Place::Here { path };
    let places = Places { api: here(""), stream: here("/events/stream"), analytics: here("") };
    let (app, ..) = web(places, Told::new());
    let (_, body) = call(&app, Request::get("/config.json").header("host", "souk.local:3000")).await;
    let config = read(&body);
    assert_eq!(config["apiUrl"], "http://souk.local:3000");
    assert_eq!(config["sseUrl"], "http://souk.local:3000/events/stream");

    let proxied =
        Request::get("/config.json").header("host", "shop.example").header("x-forwarded-proto", "https");
    let (_, body) = call(&app, proxied).await;
    assert_eq!(read(&body)["sseUrl"], "https://shop.example/events/stream");
}

#[tokio::test]
async fn a_setting_is_taken_as_it_is() {
    let url = "https://events.example/stream";
    let (app, ..) = web(Places { stream: Place::Url(url.to_owned()), ..beside() }, Told::new());
    assert_eq!(read(&get(&app, "/config.json").await.1)["sseUrl"], url);
}

#[tokio::test]
async fn a_parameter_is_a_mistake() {
    let (response, body) = get(&app(), "/config.json?api=1").await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(read(&body)["code"], "malformed-request");
}
