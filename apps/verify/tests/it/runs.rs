//! What a verification finds.

use souk_client::ClientError;
use souk_verify::{Progress, Report, Status, StepName, VerifyConfig, run};
use tokio::sync::mpsc;

use crate::fake::{Fake, Misbehaviour, SHORT};

async fn verify(config: &VerifyConfig) -> Report {
    let (_stop, stops) = mpsc::channel(1);
    run(config, stops, &mut |_| {}).await.unwrap()
}

/// Returns the report, and how many products are left.
async fn outcome(misbehaviour: Misbehaviour) -> (Report, usize) {
    let (fake, mut config) = Fake::start(misbehaviour).await;
    config.timeout = SHORT;
    let report = verify(&config).await;
    (report, fake.products())
}

fn check<'a>(report: &'a Report, step: StepName, name: &str) -> &'a souk_verify::Check {
    let step = report.steps.iter().find(|made| made.step == step);
    step.and_then(|step| step.checks.iter().find(|check| check.check == name))
        .unwrap_or_else(|| panic!("no {name}: {report}"))
}

#[tokio::test]
async fn an_installation_that_works_is_verified_and_nothing_is_left() {
    let (fake, config) = Fake::start(Misbehaviour::None).await;
    let report = verify(&config).await;
    assert!(report.ok && !report.is_unreachable(), "{report}");
    assert_eq!(report.steps.len(), 5);
    assert!(report.steps.iter().all(|step| step.status == Status::Ok), "{report}");
    assert!(
        check(&report, StepName::EndToEnd, "archive").detail.ends_with("p=00001/o=40.parquet"),
        "{report}"
    );
    assert_eq!(fake.products(), 0);
}

#[tokio::test]
async fn every_fault_fails_its_check_with_a_remedy_and_nothing_is_left() {
    use StepName::{Analytics, Api, CleanUp, EndToEnd, Notifications};
    let cases = [
        (Misbehaviour::Unavailable, Api, "health"),
        (Misbehaviour::IsAnalytics, Api, "health"),
        (Misbehaviour::RefuseCreate, Api, "create"),
        (Misbehaviour::LoseInStream("ProductCreated"), Notifications, "event"),
        (Misbehaviour::OtherInStream, Notifications, "event"),
        (Misbehaviour::Gap, Notifications, "event"),
        (Misbehaviour::NoFigures, Analytics, "metrics"),
        (Misbehaviour::NeverCount, Analytics, "counted"),
        (Misbehaviour::CountTwice, Analytics, "counted"),
        (Misbehaviour::LoseInRecent, EndToEnd, "recent"),
        (Misbehaviour::DoubleInRecent, EndToEnd, "recent"),
        (Misbehaviour::RefuseFlush, EndToEnd, "archive"),
        (Misbehaviour::LoseInArchive, EndToEnd, "archive"),
        (Misbehaviour::LoseInStream("ProductDeleted"), CleanUp, "event"),
        (Misbehaviour::DoubleInStream, CleanUp, "event"),
    ];
    let mut runs = tokio::task::JoinSet::new();
    for (misbehaviour, step, name) in cases {
        runs.spawn(async move {
            let (report, left) = outcome(misbehaviour).await;
            let found = check(&report, step, name);
            assert_eq!(found.status, Status::Failed, "{misbehaviour:?}: {report}");
            assert!(
                found.remedy.as_ref().is_some_and(|remedy| remedy.contains('`')),
                "{misbehaviour:?}: {report}"
            );
            assert!(!report.ok && !report.is_unreachable(), "{misbehaviour:?}: {report}");
            assert_eq!(left, 0, "{misbehaviour:?}: {report}");
        });
    }
    while let Some(ended) = runs.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_removed_is_named_with_the_command_that_does() {
    let (report, left) = outcome(Misbehaviour::RefuseDelete).await;
    let removed = check(&report, StepName::CleanUp, "removed");
    assert_eq!((removed.status, left), (Status::Failed, 1), "{report}");
    let id = report.product_id.as_deref().unwrap();
    assert!(
        removed.remedy.as_ref().unwrap().contains(&format!("curl -X DELETE {}/products/{id}", report.api))
    );
}

#[tokio::test]
async fn a_product_whose_answer_was_lost_is_removed_all_the_same() {
    let (report, left) = outcome(Misbehaviour::LoseAnswer).await;
    assert_eq!(check(&report, StepName::Api, "create").status, Status::Failed, "{report}");
    assert_eq!(check(&report, StepName::CleanUp, "removed").status, Status::Ok, "{report}");
    assert_eq!(left, 0, "{report}");
}

#[tokio::test]
async fn broken_off_at_any_check_it_leaves_nothing() {
    for at in ["create", "event", "metrics", "counted", "recent", "archive"] {
        let (fake, config) = Fake::start(Misbehaviour::None).await;
        let (stop, stops) = mpsc::channel(2);
        let mut watch = |progress: Progress<'_>| {
            if let Progress::Begins(step, check) = progress
                && check == at
                && step != StepName::CleanUp
            {
                stop.try_send(()).unwrap();
            }
        };
        let report = run(&config, stops, &mut watch).await.unwrap();
        // Where every check is over before the word is taken, the run has ended well.
        assert!(report.interrupted != report.ok, "{at}: {report}");
        assert_eq!(fake.products(), 0, "{at}: {report}");
    }
}

#[tokio::test]
async fn broken_off_while_it_waits_it_ends_at_once_and_leaves_nothing() {
    let (fake, config) = Fake::start(Misbehaviour::NeverCount).await;
    let (stop, stops) = mpsc::channel(2);
    let mut watch = |progress: Progress<'_>| {
        if matches!(progress, Progress::Begins(_, "counted")) {
            stop.try_send(()).unwrap();
        }
    };
    let report = run(&config, stops, &mut watch).await.unwrap();
    assert!(report.interrupted && !report.ok, "{report}");
    assert_eq!(fake.products(), 0, "{report}");
}

#[tokio::test]
async fn nobody_there_is_told_for_each_service() {
    let config = VerifyConfig {
        api: "http://127.0.0.1:1".to_owned(),
        stream: Some("http://127.0.0.1:1/events/stream".to_owned()),
        analytics: Some("http://127.0.0.1:1".to_owned()),
        ..VerifyConfig::default()
    };
    let report = verify(&config).await;
    assert!(report.is_unreachable(), "{report}");
    for step in [StepName::Api, StepName::Notifications, StepName::Analytics] {
        let health = check(&report, step, "health");
        assert!(health.detail.contains("http://127.0.0.1:1"), "{report}");
        assert!(health.remedy.as_ref().is_some_and(|remedy| remedy.contains("souk up")), "{report}");
    }
}

#[tokio::test]
async fn a_url_that_cannot_be_used_is_an_error() {
    let (_stop, stops) = mpsc::channel(1);
    let config = VerifyConfig { api: "ftp://localhost".to_owned(), ..VerifyConfig::default() };
    let error = run(&config, stops, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, ClientError::Url(_)), "{error}");
}
