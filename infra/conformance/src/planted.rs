//! Backends that break one promise each, so that every check is seen to notice: tests of the tests.
//!
//! A [`Lie`] changes what one port of an honest backend does; [`Planted`] is the backend with the lie in it.

mod archive;
mod catalog;
mod event_log;
mod event_store;
mod moving;

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::ObjectStore;
use souk_ports::{Catalog, EventLog, EventStore, Offset};

pub use self::archive::Overwrites;
pub use self::catalog::{
    ForgetsKeys, IgnoresTheKeeper, LeavesHalves, ReportsOneFault, ReturnsStaleProducts, TellsWhatIsLeft,
};
pub use self::event_log::{
    CommitsWhatItDelivers, LosesCommits, RepeatsOnResume, SeeksPastWhatIsUnderWay, SharesOneGroup,
    SkipsWhatExpired,
};
pub use self::event_store::{CountsReplays, ForgetsTheLog, MisordersAggregates};
pub use self::moving::{DropsAnswers, NotesApart, PlantedPlace, Slip};
use crate::{Fixture, Setup};

/// A way in which a backend could be wrong: what is not overridden is honest.
pub trait Lie: 'static {
    /// Changes the catalog.
    fn catalog(honest: Arc<dyn Catalog>) -> Arc<dyn Catalog> {
        honest
    }

    /// Changes the event log.
    fn log(honest: Arc<dyn EventLog>) -> Arc<dyn EventLog> {
        honest
    }

    /// Changes the event store.
    fn store(honest: Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        honest
    }

    /// Changes the archive.
    fn archive(honest: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        honest
    }
}

/// The backend `F` with the lie `L`.
pub struct Planted<F, L>(F, PhantomData<fn() -> L>);

#[async_trait]
impl<F: Fixture, L: Lie> Fixture for Planted<F, L> {
    async fn open(setup: Setup) -> Self {
        Self(F::open(setup).await, PhantomData)
    }

    fn catalog(&self) -> Arc<dyn Catalog> {
        L::catalog(self.0.catalog())
    }

    fn log(&self) -> Arc<dyn EventLog> {
        L::log(self.0.log())
    }

    fn store(&self) -> Arc<dyn EventStore> {
        L::store(self.0.store())
    }

    fn archive(&self) -> Arc<dyn ObjectStore> {
        L::archive(self.0.archive())
    }

    async fn crash(self) -> Self {
        Self(self.0.crash().await, PhantomData)
    }

    async fn maintain(&self) {
        self.0.maintain().await;
    }

    async fn expire(&self, before: &[Offset]) {
        self.0.expire(before).await;
    }
}

/// Runs a promise that must not hold.
///
/// # Panics
/// When it holds.
pub fn assert_broken<P: Future<Output = ()>>(promise: impl FnOnce() -> P + Send + 'static) {
    let run = || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.unwrap().block_on(promise());
    };
    assert!(std::thread::spawn(run).join().is_err(), "the check does not notice what was planted");
}

/// Expands to tests that each run a promise against a backend that breaks it.
#[macro_export]
macro_rules! planted_lies {
    ($fixture:ty) => {
        mod planted_lies {
            use super::*;
            use $crate::planted::{self, Planted, assert_broken};
            $crate::planted_lies! { $fixture;
                forgotten_keys_are_noticed:
                    ForgetsKeys, catalog::keys::a_key_gives_one_effect_and_the_same_answer;
                forgotten_keys_are_noticed_under_concurrency:
                    ForgetsKeys, catalog::keys::concurrent_duplicates_of_a_key_take_effect_once;
                forgotten_keys_are_noticed_after_a_crash:
                    ForgetsKeys, catalog::keys::a_key_survives_a_crash_between_commit_and_reply;
                half_units_are_noticed:
                    LeavesHalves, catalog::units::a_unit_is_all_or_nothing;
                half_units_are_noticed_among_neighbours:
                    LeavesHalves, catalog::units::a_rejected_unit_spoils_no_neighbour;
                half_units_are_noticed_in_random_histories:
                    LeavesHalves, catalog::concurrency::concurrent_histories_equal_decide_over_the_log;
                untold_faults_are_noticed:
                    ReportsOneFault, catalog::units::each_failing_line_is_reported;
                a_stock_that_was_never_there_is_noticed:
                    TellsWhatIsLeft, catalog::units::each_failing_line_is_reported;
                an_ignored_keeper_is_noticed:
                    IgnoresTheKeeper, catalog::keeper::only_imports_pass_while_the_source_keeps_the_products;
                an_ignored_keeper_is_noticed_under_load:
                    IgnoresTheKeeper, catalog::keeper::no_write_commits_after_the_source_has_become_the_keeper;
                stale_reads_are_noticed:
                    ReturnsStaleProducts, catalog::reads::reads_see_what_was_answered;
                commits_before_the_work_are_noticed:
                    CommitsWhatItDelivers, event_log::groups::uncommitted_records_are_redelivered;
                lost_commits_are_noticed:
                    LosesCommits, event_log::groups::committed_positions_survive_reopen;
                repetitions_on_resume_are_noticed:
                    RepeatsOnResume, event_log::tails::a_tail_resumes_from_any_cursor_with_nothing_missed;
                what_was_under_way_before_a_seek_is_noticed:
                    SeeksPastWhatIsUnderWay, event_log::groups::a_seek_takes_back_what_is_under_way;
                a_silent_skip_is_noticed:
                    SkipsWhatExpired, event_log::groups::a_group_is_not_told_to_be_further_than_it_is;
                a_shared_group_is_noticed:
                    SharesOneGroup, event_log::groups::two_groups_do_not_disturb_each_other;
                counted_replays_are_noticed:
                    CountsReplays, event_store::counting::an_offset_counts_once_whatever_is_replayed;
                counted_replays_are_noticed_in_a_race:
                    CountsReplays, event_store::counting::racing_consumers_count_each_offset_once;
                mixed_logs_are_noticed:
                    ForgetsTheLog, event_store::counting::other_logs_do_not_mix;
                misordered_aggregates_are_noticed:
                    MisordersAggregates, event_store::aggregates::aggregates_come_oldest_bucket_first_then_by_key;
                overwritten_objects_are_noticed:
                    Overwrites, archive::objects::an_object_is_never_overwritten;
                an_overwritten_crash_is_noticed:
                    Overwrites, archive::objects::an_object_of_a_crashed_writer_can_be_adopted;
            }
        }
    };
    ($fixture:ty; $($test:ident : $lie:ident, $module:ident :: $part:ident :: $promise:ident);+ $(;)?) => {
        $(
            #[test]
            fn $test() {
                assert_broken($crate::$module::$part::$promise::<Planted<$fixture, planted::$lie>>);
            }
        )+
    };
}
