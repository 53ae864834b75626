//! The same reads of the old API and of souk's: do they say the same, and how long does each take?
//!
//! Keys come from the source, spread over all of it. A difference is looked at again for as long as a change may be on its
//! way; what is gone then is counted apart, and so is what a policy of the mapping has mended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use souk_client::Target;
use souk_domain::Phase;
use souk_ports::{Source, SourceQuery};

use crate::judge::{Judge, Verdict};
use crate::policy::Fault;
use crate::{Mapping, MigrateError, Progress};

mod ask;
mod fields;
mod report;
mod sample;
mod values;

pub use ask::Speed;
pub use fields::Fields;
pub use report::{Example, Shadow};

pub(crate) use ask::{Asked, Reader};
pub(crate) use fields::product_ids;

/// Pauses before a difference is looked at again: a change takes a second to arrive.
const AGAIN: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_millis(1_000),
    Duration::from_millis(2_000),
];
/// One request in so many is for the list.
const LIST_EVERY: u64 = 20;
/// Products of the old list that are looked for in souk.
const OF_A_LIST: usize = 20;

/// How long to go on.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// So many pairs of requests.
    Requests(u64),
    /// So long.
    Elapsed(Duration),
}

/// What is compared.
pub struct ShadowConfig {
    /// Base URL of the old API.
    pub old: String,
    /// Base URL of souk's.
    pub new: String,
    /// The fields.
    pub fields: Fields,
    /// How long to go on.
    pub until: Until,
}

/// Both sides and what is known of the source.
struct Run<'a> {
    old: Reader,
    new: Reader,
    fields: &'a Fields,
    judge: Judge,
    query: SourceQuery,
    source: &'a dyn Source,
    found: Shadow,
}

/// Compares the answers.
///
/// # Errors
/// `Usage` for a URL, `Found` when the source does not understand the mapping, `Unreachable` when a side does not answer at all.
pub async fn shadow(
    source: &Arc<dyn Source>,
    mapping: &Mapping,
    config: &ShadowConfig,
    mut progress: impl FnMut(Progress),
) -> Result<Shadow, MigrateError> {
    let (judge, query) = crate::plan::judge(source, mapping).await?;
    let target =
        |name, url: &str| Target::parse(name, url).map_err(|error| MigrateError::Usage(error.to_string()));
    let (old, new) = (target("the old API", &config.old)?, target("api", &config.new)?);
    let (total, most) = match config.until {
        Until::Requests(requests) => (Some(requests), requests),
        Until::Elapsed(_) => (None, u64::MAX),
    };
    let keys = sample::keys(source, &query, most, &mut progress).await?;
    if keys.is_empty() {
        return Err(MigrateError::Found("the source has no rows whose keys could be asked for".to_owned()));
    }
    let (old, new) = (Reader::new(old), Reader::new(new));
    let mut run =
        Run { old, new, fields: &config.fields, judge, query, source: &**source, found: Shadow::default() };
    let began = Instant::now();
    let mut keys = keys.iter().cycle();
    for n in 1.. {
        match config.until {
            Until::Requests(requests) if n > requests => break,
            Until::Elapsed(long) if began.elapsed() >= long => break,
            _ => {}
        }
        if n.is_multiple_of(LIST_EVERY) {
            run.list(n).await?;
        } else {
            let key = keys.next().expect("a cycle of some");
            run.product(key, n).await?;
        }
        run.found.requests += 1;
        progress(Progress { doing: "answers compared:", done: n, total });
    }
    run.found.old = run.old.speed();
    run.found.new = run.new.speed();
    run.found.judge();
    Ok(run.found)
}

/// What two answers are to each other.
enum Seen {
    Equal,
    Different(Vec<Example>),
    MissingInOld,
    MissingInNew,
    Strange(Example),
}

/// Which side has no list, and what it has instead.
type NoList = (&'static str, String);

impl Run<'_> {
    /// Compares a product, and again for as long as it differs.
    async fn product(&mut self, key: &str, n: u64) -> Result<(), MigrateError> {
        let first = self.look(key, n.is_multiple_of(2)).await?;
        if matches!(first, Seen::Equal) {
            self.found.equal += 1;
            return Ok(());
        }
        self.settle(key, first).await
    }

    async fn settle(&mut self, key: &str, first: Seen) -> Result<(), MigrateError> {
        let mut last = first;
        if self.is_left_out(key, &last).await? {
            self.found.skipped += 1;
            return Ok(());
        }
        if self.is_mended(key, &last).await? {
            self.found.mended += 1;
            return Ok(());
        }
        for pause in AGAIN {
            tokio::time::sleep(pause).await;
            last = self.look(key, true).await?;
            if matches!(last, Seen::Equal) {
                self.found.late += 1;
                return Ok(());
            }
        }
        let found = &mut self.found;
        match last {
            Seen::Equal => unreachable!("looked at above"),
            Seen::Different(fields) => {
                found.different += 1;
                found.show(fields);
            }
            Seen::MissingInOld => {
                found.missing_in_old += 1;
                found.show([Example::missing(key, "old")]);
            }
            Seen::MissingInNew => {
                found.missing_in_new += 1;
                found.show([Example::missing(key, "new")]);
            }
            Seen::Strange(example) => {
                found.strange += 1;
                found.show([example]);
            }
        }
        Ok(())
    }

    /// Asks both sides; the one or the other first, so that none is warmer.
    async fn look(&mut self, key: &str, old_first: bool) -> Result<Seen, MigrateError> {
        let Some(id) = self.judge.id(key) else {
            return Ok(Seen::Strange(Example::strange(key, "source", "the key makes no id")));
        };
        let (old_path, new_path) = (format!("/products/{}", ask::encoded(key)), format!("/products/{id}"));
        let (old, new) = if old_first {
            let old = self.old.ask(&old_path).await?;
            (old, self.new.ask(&new_path).await?)
        } else {
            let new = self.new.ask(&new_path).await?;
            (self.old.ask(&old_path).await?, new)
        };
        Ok(match (old, new) {
            (Asked::Strange(what), _) => Seen::Strange(Example::strange(key, "old", &what)),
            (_, Asked::Strange(what)) => Seen::Strange(Example::strange(key, "new", &what)),
            (Asked::Missing, Asked::Missing) => Seen::Equal,
            (Asked::Missing, Asked::Found(_)) => Seen::MissingInOld,
            (Asked::Found(_), Asked::Missing) => Seen::MissingInNew,
            (Asked::Found(old), Asked::Found(new)) => {
                self.compared(key, fields::product(&old), fields::product(&new))
            }
        })
    }

    fn compared(&mut self, key: &str, old: &Value, new: &Value) -> Seen {
        let id = |text: &str| self.judge.id(text).map(|id| id.to_string());
        let mut differing = self.fields.differing(key, old, new, id);
        let all = differing.len();
        // A touch that changes nothing is no change in souk.
        differing.retain(|example| example.field != "updatedAt");
        if differing.is_empty() && all > 0 {
            self.found.touched += 1;
        }
        if differing.is_empty() { Seen::Equal } else { Seen::Different(differing) }
    }

    /// Tells whether the mapping's policies leave the row out.
    async fn is_left_out(&self, key: &str, seen: &Seen) -> Result<bool, MigrateError> {
        let Seen::MissingInNew = seen else { return Ok(false) };
        Ok(matches!(self.verdict(key).await?, Some(Verdict::Skip(_))))
    }

    /// Tells whether what differs is what the mapping's policies have made acceptable.
    async fn is_mended(&self, key: &str, seen: &Seen) -> Result<bool, MigrateError> {
        let Seen::Different(differing) = seen else { return Ok(false) };
        let Some(Verdict::Take(import, faults)) = self.verdict(key).await? else { return Ok(false) };
        let mended = |example: &Example| {
            let is_fault = |fault: &Fault| fault.kind.name().split('.').next() == Some(&*example.field);
            faults.iter().any(is_fault) && values::is_taken_over(&import.fields, &example.field, &example.new)
        };
        Ok(differing.iter().all(mended))
    }

    async fn verdict(&self, key: &str) -> Result<Option<Verdict>, MigrateError> {
        let rows = self.source.rows(&self.query, &[key.to_owned()]).await?;
        Ok(rows.first().map(|row| self.judge.judge(row, Phase::Copy)))
    }

    /// Asks both for a list, and looks for products of the old one in souk.
    async fn list(&mut self, n: u64) -> Result<(), MigrateError> {
        if let Err((side, what)) = self.lists(n).await? {
            self.found.strange += 1;
            self.found.show([Example::strange("GET /products", side, &what)]);
        }
        Ok(())
    }

    async fn lists(&mut self, n: u64) -> Result<Result<(), NoList>, MigrateError> {
        let (old, new) = (self.old.ask("/products").await?, self.new.ask("/products").await?);
        let (old, new) = match (old, new) {
            (Asked::Found(old), Asked::Found(new)) => (old, new),
            (Asked::Strange(what), _) => return Ok(Err(("old", what))),
            (_, Asked::Strange(what)) => return Ok(Err(("new", what))),
            (Asked::Missing, _) => return Ok(Err(("old", "404".to_owned()))),
            (_, Asked::Missing) => return Ok(Err(("new", "404".to_owned()))),
        };
        let (Some(old), Some(_)) = (fields::list(&old), fields::list(&new)) else {
            return Ok(Err(("old", "an answer without a list of products".to_owned())));
        };
        // Others each time: a list may be as long as the shop.
        let skip = usize::try_from(n / LIST_EVERY).unwrap_or(0) * OF_A_LIST % old.len().max(1);
        let before = (self.found.different, self.found.missing_in_new, self.found.strange);
        for listed in old.iter().cycle().skip(skip).take(OF_A_LIST.min(old.len())) {
            let Some(key) = self.fields.key(listed) else {
                return Ok(Err(("old", "a product without an id".to_owned())));
            };
            let Some(id) = self.judge.id(&key) else { continue };
            let seen = match self.new.ask_untimed(&format!("/products/{id}")).await? {
                Asked::Found(new) => self.compared(&key, listed, fields::product(&new)),
                Asked::Missing => Seen::MissingInNew,
                Asked::Strange(what) => Seen::Strange(Example::strange(&key, "new", &what)),
            };
            if !matches!(seen, Seen::Equal) {
                // The list may be old by now: the product itself decides.
                self.settle(&key, seen).await?;
            }
        }
        if before == (self.found.different, self.found.missing_in_new, self.found.strange) {
            self.found.equal += 1;
        }
        Ok(Ok(()))
    }
}
