//! Every kind of fault is found, and every fix is acceptable.

use super::*;

fn judge(policies: &[(FaultKind, Policy)]) -> Judge {
    let name = Reference::new("app.products").unwrap();
    Judge::new(&name, false, policies.iter().copied().collect())
}

fn row() -> SourceRow {
    let fields = ["seller1", "Lamp", "9.99", "10", "L-1", "bright", "light", "3"];
    SourceRow { key: "7".into(), fields: fields.map(|field| Some(field.to_owned())), ..SourceRow::default() }
}

fn with(field: &str, value: Option<&str>) -> SourceRow {
    let mut row = row();
    if field == "key" {
        row.key = value.unwrap_or_default().to_owned();
        return row;
    }
    let at = SourceRow::FIELDS.iter().position(|name| *name == field).unwrap();
    row.fields[at] = value.map(str::to_owned);
    row
}

fn everything_fixed() -> Judge {
    judge(&FaultKind::ALL.iter().map(|kind| (*kind, Policy::Fix)).collect::<Vec<_>>())
}

#[test]
fn a_sound_row_is_taken_as_it_is() {
    let Verdict::Take(import, faults) = judge(&[]).judge(&row(), Phase::Copy) else { panic!("not taken") };
    assert_eq!(faults, []);
    assert_eq!(import.fields.price.to_string(), "9.99");
    assert_eq!((import.fields.stock.get(), import.fields.low_stock_threshold.unwrap().get()), (10, 3));
    assert_eq!(import.fields.sku.unwrap().as_str(), "L-1");
}

#[test]
fn each_fault_is_found_and_fixed_as_it_says() {
    let long = "x".repeat(5_001);
    let cases: &[(&str, Option<&str>, FaultKind, &str)] = &[
        ("sellerId", None, FaultKind::SellerMissing, "unknown"),
        ("sellerId", Some(" "), FaultKind::SellerMissing, "unknown"),
        ("sellerId", Some("Müller & Co"), FaultKind::SellerAlphabet, "M_ller___Co-"),
        ("name", None, FaultKind::NameMissing, "7"),
        ("name", Some(&long[..201]), FaultKind::NameTooLong, &long[..200]),
        ("description", Some(&long), FaultKind::DescriptionTooLong, &long[..5_000]),
        ("category", Some(&long[..101]), FaultKind::CategoryTooLong, &long[..100]),
        ("price", None, FaultKind::PriceMissing, "0"),
        ("price", Some("-1"), FaultKind::PriceNegative, "0"),
        ("price", Some("1e10"), FaultKind::PriceTooHigh, "1000000000"),
        ("price", Some("0.00005"), FaultKind::PriceFraction, "0.0001"),
        ("stock", None, FaultKind::StockMissing, "0"),
        ("stock", Some("-3"), FaultKind::StockNegative, "0"),
        ("stock", Some("2.5"), FaultKind::StockFraction, "2"),
        ("stock", Some("1000000001"), FaultKind::StockTooHigh, "1000000000"),
        ("sku", Some(&long[..65]), FaultKind::SkuTooLong, "none"),
        ("lowStockThreshold", Some("-1"), FaultKind::ThresholdInvalid, "none"),
        ("lowStockThreshold", Some("1.5"), FaultKind::ThresholdInvalid, "none"),
    ];
    for (field, value, kind, fixed) in cases {
        let row = with(field, *value);
        let Verdict::Stop(faults) = judge(&[]).judge(&row, Phase::Copy) else { panic!("{field} {value:?}") };
        assert_eq!(faults.iter().map(|fault| fault.kind).collect::<Vec<_>>(), [*kind], "{value:?}");
        let Verdict::Take(import, _) = everything_fixed().judge(&row, Phase::Copy) else { panic!("{kind}") };
        let now = match *field {
            "sellerId" => import.seller_id.to_string(),
            "name" => import.fields.name.to_string(),
            "description" => import.fields.description.unwrap().to_string(),
            "category" => import.fields.category.to_string(),
            "price" => import.fields.price.to_string(),
            "stock" => import.fields.stock.get().to_string(),
            "sku" => import.fields.sku.map_or("none".into(), |sku| sku.to_string()),
            _ => import.fields.low_stock_threshold.map_or("none".into(), |most| most.get().to_string()),
        };
        assert!(now.starts_with(fixed), "{field}: {now}");
    }
}

#[test]
fn what_cannot_be_fixed_stops_whatever_the_policy() {
    for (field, value) in [("key", None), ("price", Some("NaN")), ("stock", Some("many"))] {
        let verdict = everything_fixed().judge(&with(field, value), Phase::Copy);
        assert!(matches!(verdict, Verdict::Stop(_)), "{field}");
    }
}

#[test]
fn what_is_skipped_need_not_be_decided() {
    let mut row = with("price", Some("-1"));
    row.fields[3] = None;
    let judge = judge(&[(FaultKind::PriceNegative, Policy::Skip)]);
    let Verdict::Skip(faults) = judge.judge(&row, Phase::Copy) else { panic!("not skipped") };
    assert_eq!(faults.len(), 2, "all that is wrong is told");
}

#[test]
fn two_sellers_never_become_one() {
    let seller = |text: &str| match everything_fixed().judge(&with("sellerId", Some(text)), Phase::Copy) {
        Verdict::Take(import, _) => import.seller_id,
        other => panic!("{other:?}"),
    };
    assert_ne!(seller("a b"), seller("a&b"));
    assert_ne!(seller(&format!("{}1", "s".repeat(70))), seller(&format!("{}2", "s".repeat(70))));
    assert_eq!(seller("a b"), seller("a b"));
}

#[test]
fn uuids_are_kept_and_other_keys_have_stable_ids_of_their_source() {
    let name = |text| Reference::new(text).unwrap();
    let kept = Judge::new(&name("a"), true, BTreeMap::new());
    let uuid = "0199aaaa-0000-7000-8000-000000000001";
    assert_eq!(kept.id(uuid).unwrap().to_string(), uuid);
    let (one, other) =
        (Judge::new(&name("a"), false, BTreeMap::new()), Judge::new(&name("b"), false, BTreeMap::new()));
    assert_eq!(one.id("17"), one.id("17"));
    assert_ne!(one.id("17"), one.id("18"));
    assert_ne!(one.id("17"), other.id("17"));
    // A promise to whoever computes it elsewhere: version 5 of version 5 of `souk:migrate:a` as a URL.
    assert_eq!(one.id("17").unwrap().to_string(), "89784e34-6b76-5e6c-982d-b500ef2e2a7e");
}
