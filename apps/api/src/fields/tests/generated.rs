//! Bodies that nobody thought of.

use proptest::prelude::*;

use super::*;

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::hash_map("[a-z]{1,4}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn made_up_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let body = Bytes::from(bytes);
        prop_assert!(new_product(&body, None).is_err());
        prop_assert!(order(&body, NOW).is_err());
    }

    /// Any JSON under the right names: accepted or refused with a pointer, never a panic or an `internal`.
    #[test]
    fn made_up_values_get_pointers(
        name in json_value(), price in json_value(), stock in json_value(), seller in json_value(), sku in json_value(),
    ) {
        let body = serde_json::json!({"name": name, "price": price, "stock": stock, "sellerId": seller, "sku": sku});
        if let Err(problem) = new_product(&Bytes::from(body.to_string()), None) {
            prop_assert_eq!(problem.code(), Code::ValidationFailed);
            for fault in problem.errors() {
                prop_assert!(body.pointer(&fault.pointer).is_some(), "{}", fault.pointer);
            }
        }
    }

    #[test]
    fn what_we_write_we_read(units in 0_i64..=10_000_000_000_000, pieces in 0_i64..=1_000_000_000, name in "[^\u{0}]{1,200}") {
        let price = Price::from_units(units).unwrap();
        let body = serde_json::json!({"name": name, "price": price, "stock": pieces, "sellerId": "s"}).to_string();
        let (_, product) = new_product(&Bytes::from(body), None).unwrap();
        prop_assert_eq!((product.price, product.stock.get(), product.name.as_str()), (price, pieces, &*name));
    }
}
