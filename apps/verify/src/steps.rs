//! The steps in their order, and what all of them do.

mod analytics;
mod api;
mod clean_up;
mod end_to_end;
mod notifications;

use std::time::{Duration, Instant};

use crate::Progress;
use crate::finding::{Finding, Trouble};
use crate::report::{Check, Step, StepName};
use crate::visit::{Made, Visit};

pub(crate) use clean_up::clean_up;

/// Pause between looks at something that may still be on its way.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

type Watch<'a> = &'a mut (dyn FnMut(Progress<'_>) + Send);

/// Makes every step but the last.
pub(crate) async fn all(visit: &mut Visit, watch: Watch<'_>) {
    api::step(visit, watch).await;
    notifications::step(visit, watch).await;
    analytics::step(visit, watch).await;
    end_to_end::step(visit, watch).await;
}

/// A step under way.
struct Walk<'a> {
    step: StepName,
    limit: Duration,
    took: Duration,
    checks: Vec<Check>,
    watch: Watch<'a>,
}

impl<'a> Walk<'a> {
    fn new(step: StepName, visit: &Visit, watch: Watch<'a>) -> Self {
        Self { step, limit: visit.timeout, took: Duration::ZERO, checks: Vec::new(), watch }
    }

    /// Carries out a check; `late` is what is said when it takes longer than it may. Tells whether it came out well.
    async fn check(
        &mut self,
        name: &'static str,
        late: impl FnOnce(Duration) -> Trouble,
        work: impl Future<Output = Finding>,
    ) -> bool {
        (self.watch)(Progress::Begins(self.step, name));
        let began = Instant::now();
        let finding = match tokio::time::timeout(self.limit, work).await {
            Ok(finding) => finding,
            Err(_) => Err(late(self.limit)),
        };
        self.book(name, began.elapsed(), finding)
    }

    /// Takes a check that was carried out elsewhere.
    fn book(&mut self, name: &'static str, took: Duration, finding: Finding) -> bool {
        let well = finding.is_ok();
        self.took += took;
        self.checks.push(Check::of(name, took, finding));
        well
    }

    fn skip(&mut self, name: &'static str, why: &str) {
        self.book(name, Duration::ZERO, Err(Trouble::Skipped(why.to_owned())));
    }

    /// Ends the step.
    fn end(self, visit: &mut Visit) {
        let step = Step::of(self.step, self.took, self.checks);
        (self.watch)(Progress::Ended(&step));
        visit.steps.push(step);
    }
}

/// Returns the product's id, or why what needs it is skipped.
fn product_of(visit: &Visit) -> Result<String, &'static str> {
    match &visit.made {
        Made::Product(product, _) => Ok(product["id"].as_str().unwrap_or_default().to_owned()),
        _ => Err("there is no product to look for"),
    }
}
