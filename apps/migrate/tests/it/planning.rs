//! The plan: every row that breaks a rule is named, and nothing is changed.

use crate::bed::Bed;

#[tokio::test]
async fn a_sound_table_is_planned_without_a_word_of_the_operator() {
    let bed = Bed::monolith(500).await;
    let plan = bed.plan(&bed.mapping("").await).await.unwrap();
    assert_eq!((plan.rows, plan.take, plan.ok, plan.keys_are_uuids), (500, 500, true, true));
    assert!(plan.faults.is_empty());
    assert!(plan.read_per_second > 0.0 && plan.estimated_seconds >= 500.0 / 20_000.0, "{plan}");
    assert!(bed.products().await.is_empty() && bed.events().await.is_empty(), "nothing is changed");
}

#[tokio::test]
async fn rows_that_break_a_rule_are_counted_named_and_all_reported() {
    let bed = Bed::monolith(100).await;
    bed.run(
        "UPDATE products SET price = -1 WHERE name = 'Product 1'; UPDATE products SET price = 1.00001 WHERE name \
         IN ('Product 2', 'Product 3'); UPDATE products SET name = '' WHERE name = 'Product 4'; \
         UPDATE products SET sellerid = 'a b', quantity = -5 WHERE name = 'Product 5'",
    )
    .await;
    let plan = bed.plan(&bed.mapping("").await).await.unwrap();
    assert_eq!((plan.take, plan.skip, plan.stop, plan.ok), (95, 0, 5, false));
    let counts: Vec<(&str, u64)> = plan.faults.iter().map(|(kind, found)| (*kind, found.rows)).collect();
    assert_eq!(
        counts,
        [
            ("name.missing", 1),
            ("price.fraction", 2),
            ("price.negative", 1),
            ("sellerId.alphabet", 1),
            ("stock.negative", 1)
        ]
    );
    assert_eq!(plan.faults["stock.negative"].examples[0].1.as_deref(), Some("-5"));
    let report = std::fs::read_to_string(bed.folder.file("rows-with-faults.jsonl")).unwrap();
    assert_eq!(report.lines().count(), 5);
    assert!(report.contains(r#""kind":"stock.negative","value":"-5""#), "{report}");

    let decided = "\"name.missing\" = \"skip\"\n\"price.fraction\" = \"fix\"\n\"price.negative\" = \"fix\"\n\
                   \"sellerId.alphabet\" = \"fix\"\n\"stock.negative\" = \"skip\"";
    let plan = bed.plan(&bed.mapping(decided).await).await.unwrap();
    assert_eq!((plan.take, plan.skip, plan.stop, plan.ok), (98, 2, 0, true));
    assert!(plan.to_string().contains("price.fraction: 2 rows, policy fix"), "{plan}");
}

#[tokio::test]
async fn skus_that_several_rows_have_are_found() {
    let bed = Bed::new(
        "CREATE TABLE products (id INT PRIMARY KEY, seller TEXT, name TEXT, price INT, stock INT, sku TEXT); \
         INSERT INTO products VALUES (1, 'a', 'x', 1, 9, 'S'), (2, 'a', 'y', 1, 9, 'S'), (3, 'b', 'z', 1, 9, 'S'), \
         (4, 'a', 'v', 1, 9, ''), (5, 'a', 'w', 1, 9, '')",
    )
    .await;
    let plan = bed.plan(&bed.mapping("").await).await.unwrap();
    assert_eq!((plan.stop, plan.faults["sku.shared"].rows), (2, 2));
    let fixed = bed.mapping("\"sku.shared\" = \"fix\"").await;
    let copied = bed.copy(&fixed).await.unwrap();
    assert!(copied.comparison.ok, "{}", copied.comparison);
    assert_eq!(bed.products().await.values().filter(|product| product.sku.is_some()).count(), 1);
}

#[tokio::test]
async fn rows_without_a_key_are_not_forgotten() {
    let bed = Bed::new("CREATE TABLE t (k INT); INSERT INTO t VALUES (1), (NULL), (NULL)").await;
    let text = "name = 'x'\nfrom = 't'\nkey = 'k'\n[fields]\nsellerId = \"'s'\"\nname = \"'n'\"\nprice = '1'\n\
                stock = '1'\n";
    let mapping = souk_migrate::Mapping::parse(text).unwrap();
    let plan = bed.plan(&mapping).await.unwrap();
    assert_eq!((plan.rows, plan.take, plan.stop, plan.ok), (3, 1, 2, false));
}
