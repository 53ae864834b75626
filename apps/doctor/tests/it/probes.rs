//! Probes run beside each other, each within its deadline.

use std::time::Duration;

use souk_doctor::{Diagnosis, Probe, Status, Teller, examine};
use souk_ports::Finding;

const SOON: Duration = Duration::from_millis(200);

fn well(name: &'static str) -> Probe {
    Probe::new(name, "", move |teller: Teller| async move { teller.tell(Finding::ok(name, "well")) })
}

fn away(name: &'static str) -> Probe {
    Probe::new(name, "", move |teller: Teller| async move {
        teller.tell(Finding::unreachable(name, "no answer", "start it"));
    })
}

fn names(diagnosis: &Diagnosis) -> Vec<&str> {
    diagnosis.checks.iter().map(|check| &*check.name).collect()
}

#[tokio::test]
async fn a_probe_that_hangs_is_a_finding_and_holds_nobody_up() {
    let hangs = Probe::new("hangs", "wake it", |teller: Teller| async move {
        teller.tell(Finding::ok("hangs.first", "well"));
        std::future::pending::<()>().await;
    });
    let diagnosis = examine(vec![well("before"), hangs, well("after")], SOON).await;
    assert_eq!(names(&diagnosis), ["before", "hangs.first", "hangs", "after"]);
    let hung = &diagnosis.checks[2];
    assert_eq!((hung.status, hung.remedy.as_deref()), (Status::Fail, Some("wake it")));
    assert!(hung.detail.contains("no answer within 0.2 s after hangs.first"), "{hung:?}");
    assert!(!diagnosis.ok && !diagnosis.nothing_reachable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_that_breaks_down_is_a_finding() {
    let breaks = Probe::new("breaks", "", |_: Teller| async { panic!("on purpose") });
    let diagnosis = examine(vec![breaks, well("after")], SOON).await;
    assert_eq!(names(&diagnosis), ["breaks", "after"]);
    assert_eq!(diagnosis.checks[0].status, Status::Fail);
}

#[tokio::test]
async fn nothing_reachable_is_told_apart_from_something_broken() {
    let nothing =
        examine(vec![well("settings"), away("postgres"), away("kafka"), well("service.api")], SOON).await;
    assert!(nothing.nothing_reachable && !nothing.ok);
    let some = examine(vec![well("settings"), away("postgres"), well("kafka")], SOON).await;
    assert!(!some.nothing_reachable && !some.ok);
    let all = examine(vec![well("settings"), well("kafka")], SOON).await;
    assert!(!all.nothing_reachable && all.ok);
}

#[tokio::test]
async fn a_diagnosis_reads_as_lines_and_as_json() {
    let warns = Probe::new("room", "", |teller: Teller| async move {
        teller.tell(Finding::warn("room", "1 MiB free", "make room").with("freeBytes", 1 << 20));
    });
    let diagnosis = examine(vec![well("settings"), warns], SOON).await;
    let text = diagnosis.to_string();
    assert_eq!(
        text,
        "ok    settings  well\nwarn  room      1 MiB free\n                -> make room\n\n\
         nothing is broken, 1 to look at\n"
    );
    let json = serde_json::to_value(&diagnosis).unwrap();
    assert_eq!(json["ok"], true);
    assert_eq!(json["checks"][1]["status"], "warn");
    assert_eq!(json["checks"][1]["figures"]["freeBytes"], 1 << 20);
    assert!(json["checks"][0].get("remedy").is_none());
}
