//! The descriptions of the calls that the page makes to its own server. Its files are no interface for programs.

use serde_json::{Value, json};
use souk_events::schema::{object, reference, values};
use souk_http::openapi::{Answer, Contract, Operation};
use souk_http::{Code, VERSION};

use crate::demo::Phase;

/// What the calls are about.
const TAG: (&str, &str) = ("dashboard", "What the dashboard's page asks its own server.");

/// The schema of how the demo is doing.
const DEMO: &str = "Demo";

/// Returns the contract without its calls.
pub(crate) fn contract() -> Contract {
    Contract::new(&[TAG]).with_schemas([(DEMO.to_owned(), demo_schema())])
}

fn text(about: &str) -> Value {
    json!({"description": about, "type": "string"})
}

fn demo_schema() -> Value {
    let count = |about: &str| json!({"description": about, "type": "integer", "minimum": 0});
    object(
        "How the demo is doing.",
        &[
            ("state", json!({"description": "In one word.", "enum": Phase::ALL})),
            ("linesDone", count("Lines of the sample that are done.")),
            ("linesTotal", count("Of how many; 0 while that is not known.")),
            ("detail", text("In a sentence.")),
        ],
    )
}

/// Describes where the services are.
pub(crate) fn config() -> Operation {
    let places = object(
        "Where the services are, for whoever asks, and what this is.",
        &[
            ("apiUrl", text("The api.")),
            ("sseUrl", text("The event stream, its path included.")),
            ("analyticsUrl", text("analytics.")),
            ("version", text("The version.")),
            ("backend", json!({"description": "What it runs on.", "enum": ["embedded", "distributed"]})),
            ("time", values::time("Now.")),
        ],
    );
    let example = json!({
        "apiUrl": "http://localhost:3000",
        "sseUrl": "http://localhost:3001/events/stream",
        "analyticsUrl": "http://localhost:8080",
        "version": VERSION,
        "backend": "embedded",
        "time": "2026-11-22T18:00:00.123Z",
    });
    Operation::new("getConfig", TAG.0, "Where the page finds the services").answers(
        Answer::new(200, "Where they are").never_kept().json(places, &[("local", "On one machine", example)]),
    )
}

/// Describes the question how the demo is doing.
pub(crate) fn demo() -> Operation {
    let idle = json!({"state": Phase::Idle, "linesDone": 0, "linesTotal": 0, "detail": ""});
    let running = json!({"state": Phase::Running, "linesDone": 1200, "linesTotal": 12000, "detail": "selling and restocking"});
    let examples = [("idle", "Nobody asked for it", idle), ("running", "On its way", running)];
    Operation::new("getDemo", TAG.0, "How far the demo is")
        .answers(Answer::new(200, "How far it is").never_kept().json(reference(DEMO), &examples))
}

/// Describes the wish for the demo.
pub(crate) fn start_demo() -> Operation {
    let begun = json!({
        "state": Phase::Running,
        "linesDone": 0,
        "linesTotal": 0,
        "detail": "looking whether the shop is empty",
    });
    Operation::new("startDemo", TAG.0, "Fills an empty shop with a sample")
        .describe(
            "Of a real shop's transactions. Browsers may ask for it from the dashboard's own page only.",
        )
        .answers(
            Answer::new(202, "It has begun")
                .never_kept()
                .json(reference(DEMO), &[("begun", "It has begun", begun)]),
        )
        .refuses(&[Code::DemoRefused, Code::OriginRefused])
}
