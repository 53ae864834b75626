//! What steps would do that are only asked about.

use souk_migrate::{Direction, Record, Turn};

use super::Step;
use crate::cli::StepArgs;
use crate::failure::Failure;
use crate::output;
use crate::wiring::Target;

/// A step that reads both sides.
#[derive(Debug, Clone, Copy)]
pub enum Reading<'a> {
    Plan,
    Compare,
    Shadow { old: &'a str, new: &'a str },
    Check { api: &'a str },
}

/// Says what a step would read and write; asks neither side.
pub fn reading(args: StepArgs, wanted: Reading<'_>) -> Result<(), Failure> {
    let folder = args.state.clone();
    let step = Step::look(args)?;
    let (old, here) = (step.source.address(), Target::place(&step.settings));
    output::print_line(&match wanted {
        Reading::Plan => format!(
            "would read the schema and every row of {old}, propose a mapping unless there is one, and write it, the plan and \
             the rows with faults into {}; nothing in {old}, nothing in {here}",
            folder.display()
        ),
        Reading::Compare => {
            format!("would read every row of {old} and every product of {here}, and write nothing")
        }
        Reading::Shadow { old, new } => {
            format!("would ask {old} and {new} for the same products, and write nothing")
        }
        Reading::Check { api } => format!(
            "would read every row of {old} and all that {here} has, and, unless the old system keeps the products, create one \
             of a seller souk-verify-… by {api}, change it and delete it again"
        ),
    });
    Ok(())
}

/// A step that is taken while both systems run.
#[derive(Debug, Clone, Copy)]
pub enum Wanted {
    Follow { trigger: bool },
    CutOver(Turn),
    RollBack,
    Finish { give_up: bool },
}

/// Says what a step would do, by the record; asks neither side.
pub fn rehearse(step: &Step, wanted: Wanted) -> Result<(), Failure> {
    step.mapping()?;
    let record = step.folder.record()?;
    let places = Places { old: step.source.address(), here: Target::place(&step.settings) };
    output::print_line(&places.would(wanted, &record).map_err(|why| Failure::Usage(why.to_owned()))?);
    Ok(())
}

struct Places {
    old: String,
    here: String,
}

impl Places {
    fn would(&self, wanted: Wanted, record: &Record) -> Result<String, &'static str> {
        let Self { old, here } = self;
        let is_shut = record.shut.is_some();
        Ok(match (wanted, record.direction) {
            (Wanted::Follow { trigger }, Direction::Forward) => self.follow(trigger, record),
            (Wanted::Follow { .. }, Direction::Back) => {
                format!("would write what changes in {here} into the table of {old}")
            }
            (Wanted::Follow { .. }, _) => return Err("there is nothing to follow: no way leads back"),

            (Wanted::CutOver(turn), Direction::Forward) => self.cut_over(turn, is_shut),
            (Wanted::CutOver(_), Direction::Back | Direction::OneWay) if is_shut => {
                format!("both sides are shut, and the same: would let {here} take writes")
            }
            (Wanted::CutOver(_), _) => return Err("souk keeps the products already"),

            (Wanted::RollBack, Direction::Forward) if is_shut => {
                format!("both sides are shut: would let {old} take writes again")
            }
            (Wanted::RollBack, Direction::Forward) => return Err("the source keeps the products already"),
            (Wanted::RollBack, Direction::Back) => format!(
                "would refuse writes in {here}, write the rest back, compare everything, and let {old} take writes if nothing \
                 differs, else {here}"
            ),
            (Wanted::RollBack, _) => return Err("no way leads back: nothing was written to the source"),

            (Wanted::Finish { give_up: true }, Direction::Forward) => format!(
                "would remove the schema souk_capture and its triggers from {old}, compare nothing, and let {here} take writes"
            ),
            (Wanted::Finish { give_up: false }, Direction::Forward) => {
                return Err(
                    "the source keeps the products: cut over first, or give the migration up with --give-up",
                );
            }
            (Wanted::Finish { .. }, Direction::Back) => format!(
                "would write the rest back, compare everything, audit {here}, and remove the schema souk_capture and its \
                 triggers from {old} if nothing differs"
            ),
            (Wanted::Finish { .. }, Direction::OneWay) => format!(
                "would compare everything, audit {here}, and remove the schema souk_capture and its triggers from {old} if \
                 nothing differs"
            ),
            (Wanted::Finish { .. }, Direction::Finished) => {
                format!("would remove the schema souk_capture and its triggers from {old}")
            }
        })
    }

    fn follow(&self, trigger: bool, record: &Record) -> String {
        let Self { old, here } = self;
        let first = match record.follow.as_ref().is_some_and(|follow| follow.caught_up) {
            true => String::new(),
            false => format!("copy everything into {here}, "),
        };
        let how = match trigger {
            true => format!(
                "install a trigger and the schema souk_capture in {old} unless they are there, {first}take"
            ),
            false => format!("{first}compare {old} with {here} again and again, take"),
        };
        format!("would {how} what changes in {old} into {here}, and refuse all other writes there")
    }

    fn cut_over(&self, turn: Turn, is_shut: bool) -> String {
        let Self { old, here } = self;
        let shut = match (turn.writers_stopped, is_shut) {
            (true, _) => format!("would trust that nobody writes to {old}"),
            (false, true) => format!("the writers of {old} are shut out already: would keep them so"),
            (false, false) => {
                format!("would refuse writes by a trigger to the tables of {old} that the mapping reads")
            }
        };
        let back = match turn.one_way {
            true => "nothing would be written back",
            false => "follow would write back from then on",
        };
        format!(
            "{shut}, take what is left of its changes, compare everything, and let {here} take writes if nothing differs, else \
             {old}; {back}"
        )
    }
}
