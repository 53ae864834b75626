use souk_domain::{Delta, Price, SellerId, Stock, Timestamp, Version};

use super::*;

mod generated;

fn faults(problem: &Problem) -> Vec<(&str, &str)> {
    problem.errors().iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect()
}

fn create(json: &str) -> Result<(SellerId, souk_domain::Replacement), Problem> {
    new_product(&Bytes::copy_from_slice(json.as_bytes()), None)
}

/// The problem of a change of a product that nobody has looked at.
fn unfit<T: std::fmt::Debug>(change: Result<T, Unfit>) -> Problem {
    change.unwrap_err().problem(None)
}

/// A create that is fine but for one field, given as JSON text.
fn create_with(field: &str, value: &str) -> Result<souk_domain::Replacement, Problem> {
    let mut fields = vec![("name", "\"n\""), ("price", "1"), ("stock", "1"), ("sellerId", "\"s\"")];
    fields.retain(|(name, _)| *name != field && !(field == "quantity" && *name == "stock"));
    fields.push((field, value));
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    create(&format!("{{{}}}", fields.join(","))).map(|(_, product)| product)
}

fn fault_of(field: &str, value: &str) -> &'static str {
    let problem = create_with(field, value).unwrap_err();
    assert_eq!(problem.code(), Code::ValidationFailed, "{field}: {value}");
    let [fault] = problem.errors() else { panic!("{field}: {value}: {problem:?}") };
    assert_eq!(fault.pointer, format!("/{field}"));
    fault.code
}

const NOW: Timestamp = Timestamp::MIN;

fn adjust(json: &str) -> Result<souk_domain::Adjustment, Problem> {
    adjustment(&Bytes::copy_from_slice(json.as_bytes()), NOW)
}

#[test]
fn all_faults_are_named_at_once() {
    let problem = create(
        r#"{"nmae":"x","price":"9.99","stock":-1,"sellerId":"a b","sku":"","category":7,"id":"x",
            "lowStockThreshold":1.5,"description":{},"a/b~c":1,"price":1}"#,
    )
    .unwrap_err();
    assert_eq!(
        faults(&problem),
        [
            ("/nmae", "unknown"),
            ("/id", "read-only"),
            ("/a~1b~0c", "unknown"),
            ("/price", "duplicate"),
            ("/name", "required"),
            ("/stock", "range"),
            ("/sku", "length"),
            ("/description", "type"),
            ("/category", "type"),
            ("/lowStockThreshold", "type"),
            ("/sellerId", "format"),
        ]
    );
    assert!(problem.detail().contains("/nmae is unknown; known are name, price"), "{}", problem.detail());
    assert!(problem.detail().ends_with("and 8 more in errors"), "{}", problem.detail());
}

#[test]
fn an_empty_object_lacks_everything_that_is_needed() {
    let problem = create("{}").unwrap_err();
    assert_eq!(
        faults(&problem),
        [("/name", "required"), ("/price", "required"), ("/stock", "required"), ("/sellerId", "required")]
    );
}

#[test]
fn fills_in_what_may_be_left_out() {
    let (seller, product) =
        create(r#" {"name":"Test Product","price":99.99,"stock":10,"sellerId":"seller1"} "#).unwrap();
    assert_eq!(seller.as_str(), "seller1");
    assert_eq!(product.category.as_str(), "general");
    assert_eq!((product.sku, product.description, product.low_stock_threshold), (None, None, None));
    let nulls = r#"{"name":"n","price":0,"stock":0,"sellerId":"s","sku":null,"description":null,"category":null,"lowStockThreshold":null}"#;
    assert_eq!(create(nulls).unwrap().1.category.as_str(), "general");
}

#[test]
fn wrong_types_are_named_for_every_field() {
    let values = ["\"x\"", "1", "true", "null", "[]", "{}"];
    let takes = |field: &str, value: &str| match field {
        "name" | "sellerId" => value == "\"x\"",
        "sku" | "description" | "category" => matches!(value, "\"x\"" | "null"),
        "lowStockThreshold" => matches!(value, "1" | "null"),
        _ => value == "1",
    };
    for field in [
        "name",
        "price",
        "stock",
        "quantity",
        "sellerId",
        "sku",
        "description",
        "category",
        "lowStockThreshold",
    ] {
        for value in values {
            if takes(field, value) {
                assert!(create_with(field, value).is_ok(), "{field}: {value}");
            } else {
                assert_eq!(fault_of(field, value), "type", "{field}: {value}");
            }
        }
    }
}

#[test]
fn prices_are_read_exactly_or_refused() {
    for (json, units) in [
        ("99.99", 999_900),
        ("0.1", 1_000),
        ("1e9", 10_000_000_000_000),
        ("999999999.9999", 9_999_999_999_999),
        ("1.50000000000000000000000000000", 15_000),
        ("-0", 0),
    ] {
        assert_eq!(create_with("price", json).unwrap().price, Price::from_units(units).unwrap(), "{json}");
    }
    for json in
        ["1.00001", "-0.01", "1e10", "1e400", "1000000000.0001", "1e99999999999999999999999", "0.1e-9"]
    {
        assert_eq!(fault_of("price", json), "range", "{json}");
    }
}

#[test]
fn whole_numbers_may_be_written_in_any_exact_way() {
    for json in ["10", "10.0", "1e1", "1.0E+1", "100e-1", "10.0000000000000000000000"] {
        assert_eq!(create_with("stock", json).unwrap().stock, Stock::new(10).unwrap(), "{json}");
    }
    assert_eq!(create_with("stock", "-0").unwrap().stock, Stock::default());
    for json in [
        "-1",
        "1000000001",
        "1e10",
        "9223372036854775808",
        "1e400",
        "123456789012345678901234567890123456789",
    ] {
        assert_eq!(fault_of("stock", json), "range", "{json}");
    }
    for json in ["1.5", "0.0001", "0.00001", "10.00000000000000000000001"] {
        assert_eq!(fault_of("stock", json), "type", "{json}");
    }
}

#[test]
fn quantity_is_another_name_for_stock() {
    assert_eq!(create_with("quantity", "7").unwrap().stock, Stock::new(7).unwrap());
    let both = r#"{"name":"n","price":1,"stock":7,"quantity":7,"sellerId":"s"}"#;
    assert_eq!(faults(&create(both).unwrap_err()), [("/quantity", "conflict")]);
    let body = Bytes::from_static(br#"{"stock":7,"quantity":"x"}"#);
    assert_eq!(faults(&unfit(patch(&body, None))), [("/quantity", "conflict"), ("/quantity", "type")]);
    assert_eq!(patch(&Bytes::from_static(br#"{"quantity":7}"#), None).unwrap().0.stock, Stock::new(7));
}

#[test]
fn header_and_body_agree_on_the_seller() {
    let header = || Some(SellerId::new("s").unwrap());
    let with = |json: &'static str| new_product(&Bytes::from_static(json.as_bytes()), header());
    assert_eq!(with(r#"{"name":"n","price":1,"stock":1}"#).unwrap().0.as_str(), "s");
    assert_eq!(with(r#"{"name":"n","price":1,"stock":1,"sellerId":"s"}"#).unwrap().0.as_str(), "s");
    let problem = with(r#"{"name":"n","price":1,"stock":1,"sellerId":"t"}"#).unwrap_err();
    assert_eq!(faults(&problem), [("/sellerId", "conflict")]);
    assert_eq!(
        faults(&with(r#"{"name":"n","price":1,"stock":1,"sellerId":1}"#).unwrap_err()),
        [("/sellerId", "type")]
    );
    let change = |json: &'static str| patch(&Bytes::from_static(json.as_bytes()), header());
    for same in ["{}", r#"{"sellerId":"s"}"#] {
        assert_eq!(change(same).unwrap().1.seller_id, header(), "{same}");
    }
    assert_eq!(faults(&unfit(change(r#"{"sellerId":"t"}"#))), [("/sellerId", "conflict")]);
}

#[test]
fn escapes_are_read_and_half_characters_refused() {
    let name = |json| create_with("name", json).map(|product| product.name.to_string());
    assert_eq!(name(r#""caf\u00e9 \ud83d\ude00 \"x\" \/""#).unwrap(), "café 😀 \"x\" /");
    assert_eq!(fault_of("name", r#""\ud800""#), "format");
    assert_eq!(fault_of("name", r#""\udc00x""#), "format");
    assert_eq!(fault_of("name", r#""a\u0000b""#), "format");
    assert_eq!(fault_of("name", &format!("\"{}\"", "é".repeat(201))), "length");
    assert!(create_with("name", &format!("\"{}\"", "é".repeat(200))).is_ok());
    // A known field may be written with escapes.
    assert!(create(r#"{"n\u0061me":"n","price":1,"stock":1,"sellerId":"s"}"#).is_ok());
}

#[test]
fn what_is_no_json_is_malformed() {
    let deep = "[".repeat(100_000);
    let cases: [&[u8]; 15] = [
        b"",
        b"  ",
        b"{",
        b"{\"name\":}",
        b"{\"name\":1,}",
        b"{name:1}",
        b"{} {}",
        b"{\"a\":01}",
        b"{\"a\":1.}",
        b"{\"a\":NaN}",
        b"{\"a\":\"\x01\"}",
        b"{\"\\ud800\":1}",
        b"\xef\xbb\xbf{}",
        b"{\"name\":\"\xff\"}",
        b"\xff",
    ];
    for body in cases.into_iter().chain([format!("{{\"a\":{deep}").as_bytes()]) {
        let problem = new_product(&Bytes::copy_from_slice(body), None).unwrap_err();
        let text = String::from_utf8_lossy(&body[..body.len().min(40)]);
        assert_eq!(problem.code(), Code::MalformedRequest, "{text}");
    }
}

#[test]
fn anything_but_an_object_is_named_as_such() {
    for json in ["[]", "1", "null", "\"x\"", "true"] {
        let problem = create(json).unwrap_err();
        assert_eq!(problem.errors()[0].pointer, "", "{json}");
        assert_eq!(problem.errors()[0].code, "type", "{json}");
    }
}

#[test]
fn deep_nesting_needs_no_stack() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(fault_of("name", &deep), "type");
    assert_eq!(faults(&create(&deep).unwrap_err())[0], ("", "type"));
    let body = Bytes::from(format!("{{\"items\":{deep}}}"));
    assert_eq!(faults(&order(&body, NOW).unwrap_err()), [("/items/0", "type")]);
}

#[test]
fn a_flood_of_unknown_fields_is_cut_short() {
    let fields: Vec<String> = (0..100_000).map(|n| format!("\"x{n}\":0")).collect();
    let problem = create(&format!("{{{}}}", fields.join(","))).unwrap_err();
    assert_eq!(problem.errors().len(), 25);
    assert!(problem.errors().iter().any(|fault| fault.detail.contains("has 99980 more fields")));
}

#[test]
fn null_clears_in_a_patch_what_can_be_cleared() {
    let body =
        Bytes::from_static(br#"{"sku":null,"description":null,"category":null,"lowStockThreshold":null}"#);
    let (cleared, _) = patch(&body, None).unwrap();
    assert_eq!(
        (cleared.sku, cleared.description, cleared.low_stock_threshold),
        (Some(None), Some(None), Some(None))
    );
    assert_eq!(cleared.category.unwrap().as_str(), "general");
    let body = Bytes::from_static(br#"{"name":null,"price":null,"stock":null,"id":null}"#);
    let problem = unfit(patch(&body, None));
    assert_eq!(
        faults(&problem),
        [("/name", "type"), ("/price", "type"), ("/stock", "type"), ("/id", "type")]
    );
    assert_eq!(patch(&Bytes::from_static(b"{}"), None).unwrap(), Default::default());
}

#[test]
fn read_only_fields_may_be_repeated() {
    let body = Bytes::from_static(
        br#"{"name":"n","price":1,"stock":1,"id":"01890a5d-ac96-774b-bcce-b302099a8057","sellerId":"s","lowStock":true,
            "version":3,"createdAt":"2026-11-22T18:00:00.123Z","updatedAt":"2026-11-22T19:00:00.123+01:00"}"#,
    );
    let (_, asserted) = replacement(&body, None).unwrap();
    assert_eq!((asserted.version, asserted.low_stock), (Some(Version(3)), Some(true)));
    assert_eq!(asserted.created_at, asserted.updated_at);
    let body = Bytes::from_static(
        br#"{"id":"x","sellerId":"","lowStock":0,"version":-1,"createdAt":"yesterday","updatedAt":7}"#,
    );
    assert_eq!(
        faults(&unfit(patch(&body, None))),
        [
            ("/id", "format"),
            ("/sellerId", "length"),
            ("/lowStock", "type"),
            ("/version", "range"),
            ("/createdAt", "format"),
            ("/updatedAt", "type")
        ]
    );
}

#[test]
fn the_sign_of_a_delta_fits_its_reason() {
    for (reason, up, down) in [
        ("sale", false, true),
        ("return", true, false),
        ("restock", true, false),
        ("correction", true, true),
        ("other", true, true),
    ] {
        for (delta, fits) in [(1_000_000_000_i64, up), (-1_000_000_000, down)] {
            let parsed = adjust(&format!(r#"{{"delta":{delta},"reason":"{reason}"}}"#));
            match parsed {
                Ok(adjustment) => assert!(fits && adjustment.delta() == Delta::new(delta).unwrap()),
                Err(problem) => {
                    assert!(!fits, "{reason} {delta}");
                    assert_eq!(faults(&problem), [("/delta", "conflict")]);
                }
            }
        }
    }
}

#[test]
fn every_fault_of_an_adjustment_is_named() {
    for delta in ["0", "1000000001", "-1000000001", "-0", "1e100"] {
        let problem = adjust(&format!(r#"{{"delta":{delta},"reason":"other"}}"#)).unwrap_err();
        assert_eq!(faults(&problem), [("/delta", "range")], "{delta}");
    }
    let problem = adjust(
        r#"{"reason":"theft","reference":"","unitPrice":-1,"occurredAt":"0000-01-01T00:05:00.001Z","changeFrom":-1,"why":1}"#,
    )
    .unwrap_err();
    assert_eq!(
        faults(&problem),
        [
            ("/why", "unknown"),
            ("/delta", "required"),
            ("/reason", "format"),
            ("/reference", "length"),
            ("/unitPrice", "range"),
            ("/occurredAt", "range"),
            ("/changeFrom", "range")
        ]
    );
    assert!(adjust(r#"{"delta":1,"reason":"other","occurredAt":"0000-01-01T00:05:00Z"}"#).is_ok());
}

#[test]
fn orders_have_lines_within_bounds() {
    let line = r#"{"productId":"01890a5d-ac96-774b-bcce-b302099a8057","delta":-1,"reason":"sale"}"#;
    let of =
        |count: usize| order(&Bytes::from(format!(r#"{{"items":[{}]}}"#, vec![line; count].join(","))), NOW);
    assert_eq!(of(1).unwrap().len(), 1);
    assert_eq!(of(500).unwrap().len(), 500);
    for count in [0, 501] {
        assert_eq!(faults(&of(count).unwrap_err()), [("/items", "length")]);
    }
    let body = Bytes::from(format!(
        r#"{{"items":[{line},{{"productId":"x","reason":"sale","delta":1,"qty":2}},7,{{"delta":1,"reason":"sale"}}]}}"#
    ));
    assert_eq!(
        faults(&order(&body, NOW).unwrap_err()),
        [
            ("/items/1/qty", "unknown"),
            ("/items/1/productId", "format"),
            ("/items/1/delta", "conflict"),
            ("/items/2", "type"),
            ("/items/3/productId", "required"),
            ("/items/3/delta", "conflict")
        ]
    );
    for body in ["{}", r#"{"items":{}}"#, r#"{"items":null}"#] {
        assert_eq!(order(&Bytes::from(body), NOW).unwrap_err().errors()[0].pointer, "/items");
    }
}
