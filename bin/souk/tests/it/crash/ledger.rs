//! What one writer asked for, in order, and what it was told.

use super::operation::{Fate, Operation, Wish};
use crate::support::Reply;

/// A writer's book.
#[derive(Debug, Default)]
pub struct Ledger {
    pub operations: Vec<Operation>,
    /// The writer's own products that may be there, by id.
    pub alive: Vec<String>,
    /// Answers that should not have been given.
    pub wrong_answers: Vec<String>,
}

impl Ledger {
    /// Takes in the answer to the operation at `index`; tells whether it settles the matter.
    pub fn answered(&mut self, index: usize, reply: &Reply) -> bool {
        let operation = &mut self.operations[index];
        match operation.answered(reply) {
            Ok(true) => {}
            Ok(false) => return false,
            Err(wrong) => self.wrong_answers.push(wrong),
        }
        if let Fate::Done(touched) = &operation.fate {
            match &operation.wish {
                Wish::Create { .. } => self.alive.push(touched[0].0.clone()),
                Wish::Delete { product } => self.alive.retain(|id| id != product),
                Wish::Move { .. } | Wish::Rename { .. } => {}
            }
        }
        true
    }

    /// Takes in the answer to a repetition of the operation at `index`, which was answered before.
    pub fn answered_again(&mut self, index: usize, reply: &Reply) {
        let operation = &self.operations[index];
        let mut again = operation.clone();
        let fits = matches!(again.answered(reply), Ok(true))
            && again.fate == operation.fate
            && reply.header("idempotent-replayed") == Some("true");
        // A full queue says nothing about the first time.
        if !fits && reply.status != 503 {
            let (tag, text) = (&operation.tag, reply.text());
            self.wrong_answers.push(format!("{tag} was answered {} when repeated: {text}", reply.status));
        }
    }

    /// Returns how many operations were answered as done.
    pub fn acknowledged(&self) -> usize {
        self.operations.iter().filter(|operation| matches!(operation.fate, Fate::Done(_))).count()
    }

    /// Returns how many operations were once left without an answer.
    pub fn unheard(&self) -> usize {
        self.operations.iter().filter(|operation| operation.unheard).count()
    }
}
