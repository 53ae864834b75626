//! Places that lie to those who move there.

use std::marker::PhantomData;

use async_trait::async_trait;
use souk_events::LogId;
use souk_ports::{CatalogRow, Holds, Milestone, MoveTarget, MovedEvent, PortError, StoredAnswer};

use crate::{Destination, Setup};

/// A way in which a place could be wrong.
pub trait Slip: Send + 'static {
    /// Whether milestones are noted in a step of their own, before what they stand for.
    const NOTES_APART: bool = false;
    /// Whether answers are left behind.
    const DROPS_ANSWERS: bool = false;
}

/// Notes a milestone before what it stands for.
pub struct NotesApart;

impl Slip for NotesApart {
    const NOTES_APART: bool = true;
}

/// Leaves remembered answers behind.
pub struct DropsAnswers;

impl Slip for DropsAnswers {
    const DROPS_ANSWERS: bool = true;
}

/// The place `D` with the slip `S`.
pub struct PlantedPlace<D, S>(D, PhantomData<fn() -> S>);

#[async_trait]
impl<D: Destination, S: Slip> Destination for PlantedPlace<D, S> {
    type Shop = D::Shop;

    async fn take(setup: Setup) -> Self {
        Self(D::take(setup).await, PhantomData)
    }

    async fn target(&self) -> Result<Box<dyn MoveTarget>, String> {
        Ok(Box::new(Lying::<S>(self.0.target().await?, PhantomData)))
    }

    async fn shop(&self) -> Result<Self::Shop, String> {
        self.0.shop().await
    }

    async fn leave(&self, shop: Self::Shop) {
        self.0.leave(shop).await;
    }
}

struct Lying<S>(Box<dyn MoveTarget>, PhantomData<fn() -> S>);

#[async_trait]
impl<S: Slip> MoveTarget for Lying<S> {
    fn log(&self) -> LogId {
        self.0.log()
    }

    async fn unrest(&mut self) -> Result<Option<String>, PortError> {
        self.0.unrest().await
    }

    async fn holds(&mut self) -> Result<Holds, PortError> {
        self.0.holds().await
    }

    async fn note(&mut self, milestone: &Milestone) -> Result<(), PortError> {
        self.0.note(milestone).await
    }

    async fn put_events(&mut self, events: Vec<MovedEvent>, milestone: &Milestone) -> Result<(), PortError> {
        self.0.put_events(events, milestone).await
    }

    async fn clear_rows(&mut self, milestone: &Milestone) -> Result<(), PortError> {
        self.0.clear_rows(milestone).await
    }

    async fn put_rows(&mut self, rows: &[CatalogRow], milestone: &Milestone) -> Result<(), PortError> {
        if S::NOTES_APART {
            self.0.note(milestone).await?;
        }
        self.0.put_rows(rows, milestone).await
    }

    async fn put_answers(
        &mut self,
        answers: &[StoredAnswer],
        milestone: &Milestone,
    ) -> Result<(), PortError> {
        let answers = if S::DROPS_ANSWERS { &[] } else { answers };
        self.0.put_answers(answers, milestone).await
    }

    async fn settle(&mut self, milestone: &Milestone) -> Result<(), PortError> {
        self.0.settle(milestone).await
    }

    async fn finish(&mut self, milestone: &Milestone) -> Result<(), PortError> {
        self.0.finish(milestone).await
    }

    async fn close(self: Box<Self>) {
        self.0.close().await;
    }
}
