//! The descriptions of the pages that every service has.

use serde_json::{Value, json};
use souk_events::schema::{described, object};

use super::{ASK, FOR_EVER};
use crate::openapi::{
    Answer, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, Operation, Parameter, VERSION,
};
use crate::{Code, Status};

/// What these calls are about.
pub(super) const TAG: (&str, &str) = ("service", "What the service is, how it is, and what it promises.");

fn page(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, TAG.0, summary).never_overloaded()
}

fn text(description: &str) -> Value {
    json!({"description": description, "type": "string"})
}

const HTML: &str = "text/html";
const TEXT: &str = "text/plain";

pub(super) fn root() -> Operation {
    let says = "what this is\nsouk api 0.1.0, embedded\nwhere its things are\n";
    page("getRoot", "What this is").describe("Three lines of text, or a small page for a browser.").answers(
        Answer::new(200, "What this is, its version, where its things are")
            .header_at_times(CONTENT_SECURITY_POLICY)
            .body(TEXT, text("Three lines."), &[("text", "For programs and curl", json!(says))])
            .body(
                HTML,
                text("A page."),
                &[("page", "For browsers", json!("<!doctype html><h1>souk api</h1>"))],
            ),
    )
}

/// Returns the schema of the page's document; figures stand beside status and detail.
fn health_document() -> Value {
    let statuses = [Status::Ok, Status::Degraded, Status::Unavailable].map(Status::as_str);
    let mut check = object(
        "One dependency or part. What else there is are figures, by name.",
        &[
            ("status", json!({"description": "In one word.", "enum": statuses})),
            ("detail", text("In a sentence, with what to do when something is wrong.")),
        ],
    );
    check["additionalProperties"] = json!({"type": "integer"});
    object(
        "How the service is doing.",
        &[
            ("status", json!({"description": "As unwell as the worst of its checks.", "enum": statuses})),
            ("service", text("Its name.")),
            ("version", text("Its version.")),
            ("backend", json!({"description": "What it runs on.", "enum": ["embedded", "distributed"]})),
            ("uptimeSeconds", json!({"description": "Since it started.", "type": "integer", "minimum": 0})),
            (
                "checks",
                json!({
                    "description": "Its dependencies and parts by name.",
                    "type": "object",
                    "additionalProperties": check,
                }),
            ),
        ],
    )
}

fn health_example(status: Status, detail: &str) -> Value {
    json!({
        "status": status.as_str(),
        "service": "api",
        "version": crate::VERSION,
        "backend": "embedded",
        "uptimeSeconds": 4711,
        "checks": {"catalog": {"status": status.as_str(), "detail": detail, "queued": 0}},
    })
}

fn health_answers(operation: Operation) -> Operation {
    let degraded = health_example(Status::Degraded, "the disk is nearly full: make room");
    let unavailable = health_example(Status::Unavailable, "cannot reach the store: check that it runs");
    operation
        .answers(Answer::new(200, "It does its job").never_kept().json(
            health_document(),
            &[
                ("ok", "All is well", health_example(Status::Ok, "souk.db is open")),
                ("degraded", "Somebody should look", degraded),
            ],
        ))
        .answers(
            Answer::new(503, "It cannot do its job")
                .never_kept()
                .json(health_document(), &[("unavailable", "A dependency is away", unavailable)]),
        )
}

pub(super) fn health() -> Operation {
    health_answers(
        page("getHealth", "How the service is doing").describe(
            "Looks at every dependency. `degraded` is 200: it does its job, but somebody should look.",
        ),
    )
}

pub(super) fn ready() -> Operation {
    health_answers(
        page("getReadiness", "Whether the service should get requests")
            .describe("The document of `/health`; 503 while the service waits for what it needs."),
    )
}

pub(super) fn live() -> Operation {
    page("getLiveness", "Whether the process answers").describe("Touches nothing.").answers(
        Answer::new(200, "It answers").body(TEXT, text("ok"), &[("ok", "Always this", json!("ok\n"))]),
    )
}

pub(super) fn metrics() -> Operation {
    let prometheus = "# HELP souk_build_info What is running.\n# TYPE souk_build_info gauge\n\
                      souk_build_info{service=\"api\",version=\"0.1.0\"} 1\n";
    let open = "# HELP souk_build What is running.\n# TYPE souk_build info\n\
                souk_build_info{service=\"api\",version=\"0.1.0\"} 1\n# EOF\n";
    page("getMetrics", "Metrics for Prometheus").describe("In base units, without ids as labels.").answers(
        Answer::new(200, "Every metric")
            .body(
                TEXT,
                text("The Prometheus text format 0.0.4."),
                &[("prometheus", "Unless asked otherwise", json!(prometheus))],
            )
            .body(
                "application/openmetrics-text",
                text("OpenMetrics 1.0.0."),
                &[("openMetrics", "When Accept asks for it", json!(open))],
            ),
    )
}

pub(super) fn problem() -> Operation {
    let code = described(json!({"enum": Code::ALL.map(Code::as_str)}), "The `code` of a problem document.");
    page("getProblem", "What a problem means and what to do")
        .parameter(Parameter::path("code", code, Code::StockChanged.as_str()))
        .answers(
            Answer::new(200, "What it means")
                .header_at_times(CONTENT_SECURITY_POLICY)
                .body(
                    TEXT,
                    text("Its status, title and explanation."),
                    &[(
                        "text",
                        "For programs and curl",
                        json!("stock-changed (409): The stock has changed\n"),
                    )],
                )
                .body(HTML, text("A page."), &[("page", "For browsers", json!("<!doctype html><h1>…</h1>"))]),
        )
        .refuses(&[Code::NotFound])
}

fn contract_page(id: &'static str, summary: &'static str, marker: &'static str, version: &str) -> Operation {
    let mut document = object(
        "The document.",
        &[
            (marker, json!({"description": "The version of its format.", "const": version})),
            ("info", json!({"type": "object"})),
        ],
    );
    document["additionalProperties"] = json!(true);
    let example = json!({(marker): version, "info": {"title": "souk", "version": crate::VERSION}});
    page(id, summary)
        .answers(Answer::new(200, "The document").json(document, &[("shortened", "Its beginning", example)]))
}

pub(super) fn openapi() -> Operation {
    contract_page("getOpenApi", "The calls of this service, as OpenAPI", "openapi", VERSION)
}

pub(super) fn asyncapi() -> Operation {
    let version = souk_events::asyncapi::VERSION;
    contract_page("getAsyncApi", "The events of souk, as AsyncAPI", "asyncapi", version)
}

pub(super) fn docs() -> Operation {
    page("getDocs", "A page to read and try the calls of this service").answers(
        Answer::new(200, "The page")
            .header_of(CACHE_CONTROL, ASK)
            .header_of(CONTENT_SECURITY_POLICY, souk_docs::POLICY)
            .body(HTML, text("A page."), &[("page", "For browsers", json!("<!doctype html>"))]),
    )
}

pub(super) fn docs_file() -> Operation {
    let files = souk_docs::files();
    let names: Vec<&str> = files.iter().map(|file| file.name).collect();
    let name = described(json!({"enum": names}), "A file of the page; its name changes with its content.");
    let mut answer =
        Answer::new(200, "The file").header_of(CACHE_CONTROL, FOR_EVER).header_at_times(CONTENT_ENCODING);
    for file in files {
        let media_type = file.media_type.split(';').next().unwrap_or_default();
        answer = answer.body(media_type, text("The file."), &[("beginning", "Its beginning", json!("/*"))]);
    }
    page("getDocsFile", "A file of the page at /docs")
        .parameter(Parameter::path("file", name, files.first().map_or("", |file| file.name)))
        .answers(answer)
        .refuses(&[Code::NotFound])
}
