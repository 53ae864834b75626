//! The comparison: each difference is named with its fields, and none is invented.

use souk_domain::{Command, Name, Patch, Precondition, Stock};
use souk_migrate::{DifferenceKind, MigrateError};
use souk_ports::UnitOfWork;

use crate::bed::Bed;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn differences_of_either_side_are_named_field_by_field() {
    let bed = Bed::monolith(3_000).await;
    let mapping = bed.mapping("").await;
    bed.copy(&mapping).await.unwrap();
    assert!(bed.compare(&mapping).await.ok);
    let products = bed.products().await;
    let id = |name: &str| products.values().find(|product| product.name.as_str() == name).unwrap().id;
    let (changed, deleted, left) = (id("Product 1"), id("Product 2"), id("Product 3"));
    let patch = Patch {
        name: Some(Name::new("Renamed").unwrap()),
        stock: Some(Stock::new(999).unwrap()),
        ..Patch::default()
    };
    let commands = vec![
        Command::Patch { id: changed, precondition: Precondition::None, patch, asserted: Default::default() },
        Command::Delete { id: deleted, precondition: Precondition::None },
    ];
    bed.deps.catalog.execute(UnitOfWork { commands, idempotency: None }).await.unwrap();
    bed.run(&format!("DELETE FROM products WHERE id = '{left}'")).await;

    let comparison = bed.compare(&mapping).await;
    assert_eq!((comparison.rows, comparison.products, comparison.differences), (2_999, 2_999, 3));
    let of = |id| comparison.named.iter().find(|difference| difference.id == id).unwrap();
    assert_eq!(of(deleted).kind, DifferenceKind::OnlyInSource);
    assert_eq!(of(left).kind, DifferenceKind::OnlyInSouk);
    assert_eq!(of(changed).kind, DifferenceKind::Differs);
    let fields: Vec<&str> = of(changed).fields.iter().map(|(field, ..)| *field).collect();
    assert_eq!(fields, ["name", "stock"]);
    let text = comparison.to_string();
    assert!(text.contains("name is \"Product 1\" in the source, \"Renamed\" in souk"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_policies_fix_or_skip_are_no_differences() {
    let bed = Bed::monolith(200).await;
    bed.run(
        "UPDATE products SET price = price + 0.00001 WHERE quantity = 2; \
         UPDATE products SET quantity = -1 WHERE name = 'Product 7'",
    )
    .await;
    let mapping = bed.mapping("\"price.fraction\" = \"fix\"\n\"stock.negative\" = \"skip\"").await;
    bed.copy(&mapping).await.unwrap();
    let comparison = bed.compare(&mapping).await;
    assert_eq!((comparison.skipped, comparison.products, comparison.differences), (1, 199, 0));
    // A row that begins to break a rule is a difference until it is decided or gone.
    bed.run("UPDATE products SET price = -1 WHERE name = 'Product 8'").await;
    let error = souk_migrate::compare(&bed.deps, &mapping, |_| {}).await.unwrap_err();
    assert!(matches!(error, MigrateError::Found(ref text) if text.contains("price.negative")), "{error}");
}
