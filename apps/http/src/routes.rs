//! Routes that are served, each with its description.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use http::Method;

use crate::openapi::{Contract, Operation};

/// The routes of an app: registering one takes its description, so that what is described is what is served.
pub struct Routes<S = ()> {
    router: Router<S>,
    contract: Contract,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// Makes routes of a contract that has no calls yet.
    pub fn new(contract: Contract) -> Self {
        Self { router: Router::new(), contract }
    }

    /// Adds routes that are no interface for programs, such as the files of a dashboard: no contract tells of them.
    #[must_use]
    pub fn with_pages(mut self, pages: Router<S>) -> Self {
        self.router = self.router.merge(pages);
        self
    }

    /// Serves GET, and HEAD with it.
    #[must_use]
    pub fn get<T: 'static>(
        self,
        path: &'static str,
        handler: impl Handler<T, S>,
        operation: Operation,
    ) -> Self {
        self.on(Method::GET, MethodFilter::GET, path, handler, operation)
    }

    /// Serves POST.
    #[must_use]
    pub fn post<T: 'static>(
        self,
        path: &'static str,
        handler: impl Handler<T, S>,
        operation: Operation,
    ) -> Self {
        self.on(Method::POST, MethodFilter::POST, path, handler, operation)
    }

    /// Serves PUT.
    #[must_use]
    pub fn put<T: 'static>(
        self,
        path: &'static str,
        handler: impl Handler<T, S>,
        operation: Operation,
    ) -> Self {
        self.on(Method::PUT, MethodFilter::PUT, path, handler, operation)
    }

    /// Serves PATCH.
    #[must_use]
    pub fn patch<T: 'static>(
        self,
        path: &'static str,
        handler: impl Handler<T, S>,
        operation: Operation,
    ) -> Self {
        self.on(Method::PATCH, MethodFilter::PATCH, path, handler, operation)
    }

    /// Serves DELETE.
    #[must_use]
    pub fn delete<T: 'static>(
        self,
        path: &'static str,
        handler: impl Handler<T, S>,
        operation: Operation,
    ) -> Self {
        self.on(Method::DELETE, MethodFilter::DELETE, path, handler, operation)
    }

    fn on<T: 'static>(
        mut self,
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        handler: impl Handler<T, S>,
        operation: Operation,
    ) -> Self {
        self.contract.add(method, path, operation);
        self.router = self.router.route(path, on(filter, handler));
        self
    }

    /// Gives the handlers what they share.
    #[must_use]
    pub fn with_state(self, state: S) -> Routes {
        Routes { router: self.router.with_state(state), contract: self.contract }
    }

    /// Returns what the routes promise.
    pub fn into_contract(self) -> Contract {
        self.contract
    }
}

impl Routes {
    /// Takes a router that stands for routes with that contract.
    pub(crate) fn standing_for(contract: Contract, router: Router) -> Self {
        Self { router, contract }
    }

    /// Serves the routes of both.
    ///
    /// # Panics
    /// When both have the same route.
    #[must_use]
    pub(crate) fn merge(self, other: Self) -> Self {
        Self { router: self.router.merge(other.router), contract: self.contract.merge(other.contract) }
    }

    pub(crate) fn into_parts(self) -> (Router, Contract) {
        (self.router, self.contract)
    }
}
