//! What the ports promise, as tests that every adapter has to pass: a module per port, a function per promise.
//!
//! A backend implements [`Fixture`], and [`Destination`] for the shops that move to it, and calls the macros, each of
//! which expands to one named test per promise:
//!
//! ```text
//! souk_conformance::catalog_promises!(EmbeddedFixture);
//! souk_conformance::event_log_promises!(EmbeddedFixture);
//! souk_conformance::event_store_promises!(EmbeddedFixture);
//! souk_conformance::archive_promises!(EmbeddedFixture);
//! souk_conformance::moving_promises!(EmbeddedPlace);
//! souk_conformance::planted_lies!(EmbeddedFixture);
//! ```
//!
//! Nothing here assumes more than the ports say: not one partition, not offsets that follow each other or begin
//! at 1, not that an event is in the log the moment its write is answered. What comes in its own time is waited
//! for with a deadline, so that a slow machine is no failure and a broken adapter does not hang.
//!
//! To add a promise: a `pub async fn` in the port's module, its name in the macro below (a test compares the two).

#![expect(clippy::unwrap_used, reason = "a promise that does not hold is a panic in a test")]

mod again;
pub mod archive;
pub mod catalog;
pub mod event_log;
pub mod event_store;
mod fixture;
mod history;
pub mod make;
pub mod moving;
pub mod planted;
mod shop;
mod wait;
mod write_rate;

pub use again::{all_pass_again, passes_with};
pub use fixture::{Destination, Fixture, SeededIds, Setup, TestClock};
pub use history::{Fold, fold_log};
pub use make::Dice;
pub use shop::{Logged, Shop};
pub use wait::{DEADLINE, eventually, within};
pub use write_rate::print_write_rate;

/// Expands to one test for each named promise of a module.
#[doc(hidden)]
#[macro_export]
macro_rules! promises {
    ($fixture:ty; $($module:ident :: $part:ident : $($promise:ident),+ $(,)?);+ $(;)?) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                $crate::$module::$part::$promise::<$fixture>().await;
            }
        )+)+
    };
}

/// Expands to the tests of a [`souk_ports::Catalog`].
#[macro_export]
macro_rules! catalog_promises {
    ($fixture:ty) => {
        mod catalog_promises {
            use super::*;
            $crate::promises! { $fixture;
                catalog::units:
                    a_unit_is_all_or_nothing,
                    a_rejected_unit_spoils_no_neighbour,
                    each_failing_line_is_reported,
                    commands_in_a_unit_see_those_before_them,
                    a_no_op_writes_nothing,
                    a_unit_of_many_lines_is_one_unit,
                    a_unit_creates_changes_and_deletes_the_same_product,
                    an_id_in_use_is_not_created_again;
                catalog::imports:
                    an_import_keeps_id_and_times,
                    an_import_is_harmless_twice,
                    an_import_follows_an_id_that_is_used_again,
                    an_import_respects_skus;
                catalog::keeper:
                    only_imports_pass_while_the_source_keeps_the_products,
                    no_write_commits_after_the_source_has_become_the_keeper;
                catalog::concurrency:
                    versions_are_dense_under_concurrent_writers,
                    the_last_piece_is_sold_once,
                    orders_over_the_same_products_never_deadlock,
                    preconditions_let_one_writer_through,
                    concurrent_histories_equal_decide_over_the_log;
                catalog::keys:
                    a_key_gives_one_effect_and_the_same_answer,
                    concurrent_duplicates_of_a_key_take_effect_once,
                    a_key_with_another_fingerprint_is_refused,
                    refusals_are_not_stored_under_a_key,
                    a_no_op_under_a_key_is_answered_again,
                    a_key_survives_a_reopen,
                    a_key_survives_a_crash_between_commit_and_reply,
                    a_key_is_replayed_for_a_day;
                catalog::skus:
                    sku_is_unique_per_seller,
                    one_of_many_concurrent_creators_gets_the_sku,
                    a_sku_is_unique_within_a_unit,
                    a_sku_is_free_again_after_its_delete,
                    a_sku_is_free_again_after_a_change,
                    skus_can_be_swapped_within_a_unit,
                    skus_can_be_swapped_between_concurrent_units;
                catalog::reads:
                    reads_see_what_was_answered,
                    products_survive_a_reopen_unchanged,
                    absent_products_are_none,
                    a_scan_is_complete_and_in_id_order,
                    deleted_products_leave_tombstones,
                    an_id_that_comes_back_goes_on_from_its_tombstone,
                    a_healthy_store_says_so;
                catalog::lists:
                    pages_hold_every_product_once_in_every_order,
                    names_are_ordered_byte_by_byte,
                    filters_combine,
                    pages_miss_nothing_while_writes_go_on,
                    the_last_page_says_that_it_is_the_last,
                    bad_cursors_are_invalid_data;
                catalog::search:
                    search_finds_word_prefixes,
                    search_wants_every_word,
                    search_follows_changes_and_deletes,
                    search_combines_with_filters_and_pages,
                    search_survives_a_reopen;
            }
        }
    };
}

/// Expands to the tests of a [`souk_ports::EventLog`].
#[macro_export]
macro_rules! event_log_promises {
    ($fixture:ty) => {
        mod event_log_promises {
            use super::*;
            $crate::promises! { $fixture;
                event_log::reading:
                    every_committed_event_is_readable_once_in_order_per_product,
                    nothing_of_a_rejected_unit_is_in_the_log,
                    events_survive_a_reopen,
                    a_read_begins_at_the_first_record_at_or_after_its_offset,
                    a_read_keeps_its_limits_and_makes_progress,
                    bounds_enclose_what_is_held,
                    an_empty_log_is_empty,
                    identity_is_stable_and_a_new_log_has_another;
                event_log::groups:
                    the_first_delivery_is_the_assignment,
                    uncommitted_records_are_redelivered,
                    committed_positions_survive_reopen,
                    a_group_is_not_told_to_be_further_than_it_is,
                    two_groups_do_not_disturb_each_other,
                    a_seek_goes_on_elsewhere_without_committing,
                    a_seek_takes_back_what_is_under_way,
                    a_caught_up_group_is_idle_until_something_comes,
                    a_cancelled_delivery_is_not_lost;
                event_log::tails:
                    a_tail_resumes_from_any_cursor_with_nothing_missed,
                    a_tail_waits_for_what_is_written_next,
                    a_tail_is_cancel_safe,
                    tails_do_not_share_a_position,
                    a_tail_sees_a_product_in_order_under_load;
                event_log::dead_letters:
                    a_record_set_aside_is_told_with_its_place_and_reason;
            }
        }
    };
}

/// Expands to the tests of a [`souk_ports::EventStore`].
#[macro_export]
macro_rules! event_store_promises {
    ($fixture:ty) => {
        mod event_store_promises {
            use super::*;
            $crate::promises! { $fixture;
                event_store::counting:
                    an_offset_counts_once_whatever_is_replayed,
                    racing_consumers_count_each_offset_once,
                    refused_items_report_what_they_counted_and_stay_as_they_are,
                    counts_survive_a_reopen,
                    other_logs_do_not_mix,
                    partitions_count_apart_and_sum_up,
                    sums_are_exact_beyond_64_bits;
                event_store::aggregates:
                    aggregates_come_oldest_bucket_first_then_by_key,
                    ranges_include_their_start_and_not_their_end,
                    windows_and_dimensions_do_not_mix,
                    aggregates_page_without_repeats,
                    items_scan_completely_in_a_fixed_order;
                event_store::recent:
                    recent_events_come_newest_first,
                    recent_events_are_stored_once,
                    recent_events_are_filtered,
                    recent_events_page_without_repeats,
                    recent_events_expire,
                    bad_recent_cursors_are_invalid_data;
                event_store::repair:
                    replaced_items_are_as_given_and_count_on,
                    removed_items_are_gone_and_count_anew;
            }
        }
    };
}

/// Expands to the tests of an archive.
#[macro_export]
macro_rules! archive_promises {
    ($fixture:ty) => {
        mod archive_promises {
            use super::*;
            $crate::promises! { $fixture;
                archive::objects:
                    an_object_is_never_overwritten,
                    one_of_many_concurrent_creators_makes_the_object,
                    an_object_of_a_crashed_writer_can_be_adopted,
                    an_object_survives_a_reopen_byte_for_byte,
                    objects_are_listed_by_prefix_and_read_by_range;
            }
        }
    };
}

/// Expands to the tests of a [`souk_ports::MoveTarget`].
#[macro_export]
macro_rules! moving_promises {
    ($place:ty) => {
        mod moving_promises {
            use super::*;
            use $crate::planted::{self, PlantedPlace, assert_broken};
            $crate::promises! { $place;
                moving::targets:
                    a_shop_arrives_as_it_was,
                    what_follows_the_catalog_begins_after_what_was_moved,
                    a_milestone_is_durable_with_its_call,
                    a_refused_batch_leaves_rows_and_milestone_as_they_were,
                    rows_that_were_cleared_come_anew,
                    no_shop_opens_before_the_move_is_finished,
                    a_place_with_a_shop_takes_no_other,
                    one_mover_at_a_time;
            }

            #[test]
            fn milestones_noted_apart_are_noticed() {
                assert_broken(
                    $crate::moving::targets::a_refused_batch_leaves_rows_and_milestone_as_they_were::<
                        PlantedPlace<$place, planted::NotesApart>,
                    >,
                );
            }

            #[test]
            fn forgotten_answers_are_noticed() {
                assert_broken(
                    $crate::moving::targets::a_shop_arrives_as_it_was::<
                        PlantedPlace<$place, planted::DropsAnswers>,
                    >,
                );
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else {
                found.push(path);
            }
        }
    }

    #[test]
    fn every_promise_is_in_a_macro() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let listed = fs::read_to_string(src.join("lib.rs")).unwrap();
        let mut files = Vec::new();
        sources(&src, &mut files);
        let mut promises = 0;
        for file in files {
            for line in fs::read_to_string(&file).unwrap().lines() {
                let Some((name, generics)) =
                    line.strip_prefix("pub async fn ").and_then(|rest| rest.split_once('<'))
                else {
                    continue;
                };
                if !["F: Fixture>()", "D: Destination>()"].iter().any(|of| generics.starts_with(of)) {
                    continue;
                }
                promises += 1;
                assert!(
                    listed.contains(&format!("{name},")) || listed.contains(&format!("{name};")),
                    "{name} in {} is run by no macro",
                    file.display()
                );
            }
        }
        assert!(promises > 60, "only {promises} promises were found");
    }
}
