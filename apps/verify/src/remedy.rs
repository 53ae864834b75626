//! What to do when something does not work: the likely cause, and a command to run.

use souk_client::Target;

use crate::visit::Visit;

/// What names the service on the command line.
fn flag(target: &Target) -> &'static str {
    match target.service {
        "notifications" => "--stream",
        "analytics" => "--analytics",
        _ => "--api",
    }
}

/// A service does not answer.
pub(crate) fn away(target: &Target) -> String {
    format!(
        "start it with `souk up` (or `souk {}`), or say where it is with `{} {}`",
        target.service,
        flag(target),
        match target.service {
            "notifications" => "http://HOST:PORT/events/stream",
            _ => "http://HOST:PORT",
        }
    )
}

/// Something else answers.
pub(crate) fn stranger(target: &Target) -> String {
    format!(
        "another program listens there, or a proxy in between answers: `curl -i {}/`; {} names the {}",
        target.url(),
        flag(target),
        target.service
    )
}

/// Another service of souk's answers.
pub(crate) fn other_service(target: &Target) -> String {
    format!(
        "give the URL of {} with {}; `curl {}/` says what is where",
        target.service,
        flag(target),
        target.url()
    )
}

/// The service says that it cannot work.
pub(crate) fn unavailable(target: &Target) -> String {
    format!(
        "it goes on by itself once that is there: `curl {}/health`; `souk doctor` looks at every server",
        target.url()
    )
}

/// A check took longer than it may.
pub(crate) fn late(target: &Target) -> String {
    format!(
        "see whether it is overloaded: `curl {}/health` and its log; --timeout waits longer",
        target.service_base().url()
    )
}

/// The stream is not opened.
pub(crate) fn stream(target: &Target) -> String {
    if target.path.ends_with("/events/stream") {
        format!("see what it waits for: `curl {}/health`", target.service_base().url())
    } else {
        format!("the stream's URL ends in /events/stream: --stream {}/events/stream", target.url())
    }
}

/// An event that was written does not arrive.
pub(crate) fn no_event(visit: &Visit) -> String {
    let stream = &visit.targets.stream;
    if let Some(cause) = visit.suspects(&["api", "notifications"]) {
        return cause;
    }
    let own = stream.service_base().url();
    if visit.is_distributed() {
        format!(
            "compare KAFKA_BROKERS and KAFKA_TOPIC of api and notifications (`souk config`), then `souk doctor`; `curl \
             {own}/health` says where the stream is; a proxy in between must not buffer"
        )
    } else {
        format!(
            "is {own} of the same `souk up` as the api? `curl {own}/health`; a proxy in between must not buffer, as \
             `curl -N {}` shows",
            stream.url()
        )
    }
}

/// An event that was written is not taken in by analytics.
pub(crate) fn not_taken_in(visit: &Visit) -> String {
    if let Some(cause) = visit.suspects(&["api", "analytics"]) {
        return cause;
    }
    let own = visit.targets.analytics.url();
    let more = if visit.is_distributed() {
        "compare KAFKA_BROKERS and KAFKA_TOPIC of api and analytics, see DYNAMO_ENDPOINT and its keys, then `souk doctor`"
    } else {
        "is it of the same `souk up` as the api?"
    };
    format!("`curl {own}/progress` shows how far each consumer is; {more}")
}

/// The archive cannot be written or read.
pub(crate) fn archive(visit: &Visit) -> String {
    if let Some(cause) = visit.suspects(&["analytics"]) {
        return cause;
    }
    let own = visit.targets.analytics.url();
    if visit.is_distributed() {
        format!(
            "see MINIO_ENDPOINT, its keys and ARCHIVE_BUCKET_NAME of analytics: `souk doctor`, `curl {own}/health`"
        )
    } else {
        format!(
            "see whether the disk is full or the data folder cannot be written: `souk doctor`, `curl {own}/health`"
        )
    }
}

/// Figures do not add up, or something is there twice.
pub(crate) fn audit() -> String {
    "`souk audit` compares catalog, event log, figures and archive, and names every difference".to_owned()
}

/// The product may still be there.
pub(crate) fn left_behind(visit: &Visit) -> String {
    let api = visit.targets.api.url();
    match visit.product() {
        Some(id) => format!("remove it: `curl -X DELETE {api}/products/{id}`"),
        None => format!("see whether it was created: `curl \"{api}/products?sellerId={}\"`", visit.seller),
    }
}
