//! What a move tells: a line for each step as it is done, a bar while it is under way, and the outcome.

use std::time::Instant;

use serde::Serialize;
use souk_audit::Report;
use souk_move::{Progress, Record};

use crate::commands::progress::ProgressLine;
use crate::failure::Failure;
use crate::output;

/// Width of the bar.
const BAR: usize = 24;

/// What came of a move.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    pub ok: bool,
    pub from: String,
    pub to: String,
    /// It had been done before.
    pub already: bool,
    /// It had been begun before.
    pub resumed: bool,
    pub events: u64,
    /// Records that are no events, which stayed behind.
    pub unreadable: u64,
    pub products: u64,
    pub tombstones: u64,
    pub answers: u64,
    pub events_per_second: u64,
    pub seconds: f64,
    /// Of the target.
    pub audit: Option<Report>,
}

/// Tells people as it goes, or scripts at the end.
pub struct Teller {
    json: bool,
    line: ProgressLine,
    began: Instant,
    /// When this step began.
    step: Instant,
    from: String,
    to: String,
    resumed: bool,
    /// Events that were there before this run, and those since, with the time that they took.
    before: u64,
    rate: f64,
    problem: Option<String>,
}

impl Teller {
    pub fn new(json: bool) -> Self {
        let now = Instant::now();
        Self {
            json,
            line: ProgressLine::new(),
            began: now,
            step: now,
            from: String::new(),
            to: String::new(),
            resumed: false,
            before: 0,
            rate: 0.0,
            problem: None,
        }
    }

    /// A line about a step that is done.
    fn say(&mut self, step: &str, what: &str) {
        self.line.clear();
        self.step = Instant::now();
        if !self.json {
            output::print_line(&format!("{step:<8} {what}"));
        }
    }

    pub fn begin(&mut self, from: &str, to: &str) {
        from.clone_into(&mut self.from);
        to.clone_into(&mut self.to);
        self.say("from", from);
        self.say("to", to);
    }

    pub fn resumes(&mut self, record: &Record) {
        (self.resumed, self.before) = (true, record.events);
        let rows = record.products + record.tombstones;
        self.say("resumes", &format!("{} events and {rows} rows are there already", record.events));
    }

    /// # Errors
    /// `Fault` when the audit found a difference, with its report printed.
    pub fn audited(&mut self, report: Report) -> Result<(), Failure> {
        if report.ok {
            let products = report.products;
            self.say(
                "source",
                &format!("audited, no difference: {} events, {products} products", report.events),
            );
            return Ok(());
        }
        self.line.clear();
        output::print_line(&report.to_string());
        Err(Failure::Fault(format!(
            "nothing has moved: {} contradicts itself, as the audit says; `souk audit --repair` puts right what can be \
             rebuilt",
            self.from
        )))
    }

    /// Draws a bar.
    pub fn shows(&mut self, step: &str, done: u64, total: u64) {
        let share = done.saturating_mul(BAR as u64).checked_div(total).unwrap_or(0).min(BAR as u64);
        let filled = usize::try_from(share).unwrap_or(BAR);
        self.line.show(|| {
            let (bar, rest) = ("#".repeat(filled), "-".repeat(BAR - filled));
            format!("{step:<8} [{bar}{rest}] {done} of {total}")
        });
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub fn moved(&mut self, progress: Progress) {
        match progress {
            Progress::Events(done, total) => {
                let took = self.step.elapsed().as_secs_f64().max(0.001);
                self.rate = (done - self.before) as f64 / took;
                self.shows("events", done, total);
            }
            Progress::Rows(done) => self.line.show(|| format!("rows     {done}")),
            Progress::Answers(done) => self.line.show(|| format!("answers  {done}")),
        }
    }

    pub fn loaded(&mut self, record: &Record) {
        let unreadable = match record.unreadable {
            0 => String::new(),
            n => format!("; {n} records that are no events stay behind"),
        };
        let rate = if self.rate > 0.0 { format!(", {:.0} a second", self.rate) } else { String::new() };
        self.say("events", &format!("{}{rate}{unreadable}", record.events));
        self.say(
            "rows",
            &format!("{} products, {} traces of deleted ones", record.products, record.tombstones),
        );
        self.say("answers", &format!("{} of idempotency keys", record.answers));
    }

    pub fn behind(&mut self, lag: u64, problem: Option<String>) {
        if problem != self.problem {
            self.line.clear();
            if let Some(problem) = &problem {
                eprintln!("warning: {problem}");
            }
            self.problem = problem;
        }
        self.line.show(|| format!("figures  {lag} events to go"));
    }

    pub fn worked(&mut self) {
        let took = self.step.elapsed().as_secs_f64();
        self.say("figures", &format!("recent events, aggregates and archive made in {took:.1} s"));
    }

    pub fn outcome(&mut self, record: &Record, report: Report) -> Outcome {
        self.line.clear();
        Outcome { ok: report.ok, audit: Some(report), ..self.told(record) }
    }

    pub fn already(&mut self, record: &Record) -> Outcome {
        Outcome { already: true, ..self.told(record) }
    }

    fn told(&self, record: &Record) -> Outcome {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people")]
        let events_per_second = self.rate as u64;
        Outcome {
            ok: true,
            from: self.from.clone(),
            to: self.to.clone(),
            already: false,
            resumed: self.resumed,
            events: record.events,
            unreadable: record.unreadable,
            products: record.products,
            tombstones: record.tombstones,
            answers: record.answers,
            events_per_second,
            seconds: self.began.elapsed().as_secs_f64(),
            audit: None,
        }
    }

    /// Prints the outcome.
    ///
    /// # Errors
    /// `Fault` when the audit found a difference.
    pub fn done(mut self, outcome: &Outcome) -> Result<(), Failure> {
        if self.json {
            output::print_json(outcome);
        } else if let Some(report) = &outcome.audit {
            if report.ok {
                self.say(
                    "target",
                    &format!(
                        "audited, no difference: {} events, {} products",
                        report.events, report.products
                    ),
                );
                let took = outcome.seconds;
                output::print_line(&format!("\nThe shop has moved, in {took:.1} s. {}", self.goes_on()));
            } else {
                output::print_line(&report.to_string());
            }
        } else {
            output::print_line(&format!(
                "\nThe shop had moved before, and nothing has changed since. {}",
                self.goes_on()
            ));
        }
        if outcome.ok {
            return Ok(());
        }
        Err(Failure::Fault(format!(
            "what has moved to {} is not what was there, as the audit says: no souk starts on it; go on with {}",
            self.to, self.from
        )))
    }

    fn goes_on(&self) -> String {
        format!("Go on there; put {} out of the way, so that nobody starts it by mistake.", self.from)
    }

    /// Tells what a move would do.
    pub fn rehearsed(mut self, from: &str, to: &str, rows: u64, events: u64, begun: Option<&Record>) {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Rehearsal<'a> {
            dry_run: bool,
            from: &'a str,
            to: &'a str,
            rows: u64,
            /// At most: offsets have holes.
            events: u64,
            begun: Option<&'a Record>,
        }
        if self.json {
            return output::print_json(&Rehearsal { dry_run: true, from, to, rows, events, begun });
        }
        self.begin(from, to);
        let would = match begun {
            None => "would begin".to_owned(),
            Some(record) => format!("would go on: {} events are there already", record.events),
        };
        self.say("move", &would);
        self.say("rows", &format!("{rows} would be moved"));
        self.say("events", &format!("at most {events} would be moved (offsets have holes)"));
        output::print_line("\nNothing was changed.");
    }
}
