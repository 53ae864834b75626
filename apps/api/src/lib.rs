//! The api service: products, stock adjustments and orders over HTTP.
//!
//! A request goes through three steps: `fields` turns its body into checked domain values and names every fault at
//! once, the catalog carries out the command, `answer` or `refusal` turns the outcome into an answer. Each operation
//! is a file of its own. To add one: a file with its handler and its description, a line in `routes`, flows in `tests/it`.

mod adjust_stock;
mod answer;
mod create_product;
mod delete_product;
mod describe;
mod etag;
mod fields;
mod get_product;
mod health;
mod idempotency;
mod list_products;
mod patch_product;
mod place_order;
mod refusal;
mod replace_product;
mod request;

use std::sync::Arc;

use axum::Router;
use souk_domain::{Asserted, Command, ProductId};
use souk_http::openapi::Contract;
use souk_http::{App, Cors, Metrics, Problem, Routes, Service};
use souk_ports::{Applied, Catalog, Clock, IdGenerator, Outcome, UnitOfWork};

use crate::fields::Unfit;

/// What the service needs.
pub struct ApiDeps {
    /// The products.
    pub catalog: Arc<dyn Catalog>,
    /// Tells which times lie in the future.
    pub clock: Arc<dyn Clock>,
    /// Makes the ids of new products.
    pub ids: Arc<dyn IdGenerator>,
    /// `embedded` or `distributed`, for `/health`.
    pub backend: &'static str,
    /// Which origins may call.
    pub cors: Cors,
    /// For `GET /`: on the first line what it is, then where its things are.
    pub about: String,
}

/// The api service.
pub struct Api(ApiDeps);

/// What the handlers share.
struct Shared {
    catalog: Arc<dyn Catalog>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
}

impl Shared {
    /// Carries out one command without an idempotency key.
    async fn change(&self, command: Command) -> Result<Vec<Applied>, Problem> {
        let unit = UnitOfWork { commands: vec![command], idempotency: None };
        match self.catalog.execute(unit).await.map_err(refusal::of_call)? {
            Outcome::Applied(applied) => Ok(applied),
            Outcome::Replayed(_) => Err(Problem::internal("replayed without an idempotency key")),
        }
    }

    /// Returns the problem of a body that changes nothing because it is faulty: with all that the product has against it,
    /// as far as it can be read.
    async fn refuse(&self, id: ProductId, unfit: Unfit) -> Problem {
        let product = match &unfit {
            Unfit::Faulty(_, asserted) if *asserted != Asserted::default() => {
                self.catalog.product(id).await.ok().flatten()
            }
            // There is nothing to compare.
            Unfit::Faulty(..) | Unfit::Unreadable(_) => None,
        };
        unfit.problem(product.as_ref())
    }
}

/// Returns the calls, each with its description.
fn routes() -> Routes<Arc<Shared>> {
    Routes::new(describe::contract())
        .get("/products", list_products::list_products, list_products::operation())
        .post("/products", create_product::create_product, create_product::operation())
        .get("/products/{id}", get_product::get_product, get_product::operation())
        .put("/products/{id}", replace_product::replace_product, replace_product::operation())
        .patch("/products/{id}", patch_product::patch_product, patch_product::operation())
        .delete("/products/{id}", delete_product::delete_product, delete_product::operation())
        .post("/products/{id}/stock-adjustments", adjust_stock::adjust_stock, adjust_stock::operation())
        .post("/stock-adjustments", place_order::place_order, place_order::operation())
}

/// Returns what the service promises.
pub fn contract() -> Contract {
    routes().into_contract()
}

impl Api {
    /// Makes the service; it has no work of its own beside its router.
    pub fn new(deps: ApiDeps) -> Self {
        Self(deps)
    }

    /// Returns the app, to be served alone or with others.
    pub fn app(self) -> App {
        let ApiDeps { catalog, clock, ids, backend, cors, about } = self.0;
        let service = Service {
            name: "api",
            about,
            backend,
            cors,
            health: Arc::new(health::CatalogHealth(catalog.clone())),
        };
        let routes = routes().with_state(Arc::new(Shared { catalog, clock, ids }));
        App::new(service, routes, Metrics::new("api"))
    }

    /// Returns the routes, with the manners of every service.
    pub fn router(self) -> Router {
        self.app().router()
    }
}
