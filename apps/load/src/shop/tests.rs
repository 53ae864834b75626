use super::*;

const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,Country\n";

fn shop(lines: &str) -> Shop {
    Shop::parse(format!("{HEADER}{lines}").as_bytes(), 500).unwrap()
}

fn product<'a>(shop: &'a Shop, sku: &str) -> &'a ShopProduct {
    shop.products.iter().find(|product| product.sku.as_str() == sku).unwrap()
}

#[test]
fn codes_are_trimmed_and_in_upper_case() {
    let shop =
        shop("1, 85123a ,LAMP,1,2010-12-01T08:26:00,2.55,UK\n1,85123A,LAMP,2,2010-12-01T08:26:00,2.55,UK\n");
    assert_eq!(shop.products.len(), 1);
    assert_eq!(shop.products[0].sku.as_str(), "85123A");
    assert_eq!(shop.products[0].seller_id.as_str(), "85");
    assert_eq!(shop.lines.len(), 2);
}

#[test]
fn a_one_letter_code_and_a_strange_one_have_sellers() {
    let shop = shop("1,m,Manual,1,2010-12-01T08:26:00,1,UK\n1,é!x,Odd,1,2010-12-01T08:26:00,1,UK\n");
    assert_eq!(product(&shop, "M").seller_id.as_str(), "M");
    assert_eq!(product(&shop, "É!X").seller_id.as_str(), "--");
}

#[test]
fn the_first_description_that_is_not_empty_names_the_product() {
    let shop = shop(
        "1,A1,,1,2010-12-01T08:26:00,1,UK\n1,A1,  ,1,2010-12-01T08:26:00,1,UK\n\
         1,A1, RED MUG ,1,2010-12-01T08:26:00,1,UK\n1,A1,damaged,1,2010-12-01T08:26:00,1,UK\n\
         1,B1,,1,2010-12-01T08:26:00,1,UK\n",
    );
    assert_eq!(product(&shop, "A1").name.as_str(), "RED MUG");
    assert_eq!(product(&shop, "B1").name.as_str(), "B1");
}

#[test]
fn the_first_price_above_zero_counts_and_none_is_below() {
    let shop = shop(
        "1,A1,MUG,1,2010-12-01T08:26:00,0,UK\n1,A1,MUG,1,2010-12-01T08:26:00,-11062.06,UK\n\
         1,A1,MUG,1,2010-12-01T08:26:00,2.55,UK\n1,A1,MUG,1,2010-12-01T08:26:00,3,UK\n\
         1,B1,MUG,1,2010-12-01T08:26:00,0.0,UK\n",
    );
    assert_eq!(product(&shop, "A1").price.to_string(), "2.55");
    assert_eq!(product(&shop, "B1").price, Price::ZERO);
    let prices: Vec<String> = shop.lines.iter().map(|line| line.unit_price.to_string()).collect();
    assert_eq!(prices, ["0", "0", "2.55", "3", "0"]);
}

#[test]
fn returns_bring_stock_back() {
    let shop = shop("C1,A1,MUG,-2,2010-12-01T08:26:00,1,UK\n2,A1,MUG,5,2010-12-01T09:00:00,1,UK\n");
    assert_eq!((shop.lines[0].delta.get(), shop.lines[0].reason()), (2, Reason::Return));
    assert_eq!((shop.lines[1].delta.get(), shop.lines[1].reason()), (-5, Reason::Sale));
    assert_eq!(shop.products[0].opening_stock.get(), 3, "the return came first and is sold again");
    assert_eq!(shop.lines[1].occurred_at.to_string(), "2010-12-01T09:00:00.000Z");
}

#[test]
fn a_bulk_order_that_came_back_needs_its_whole_quantity_once() {
    let shop = shop(
        "541431,23166,JAR,74215,2011-01-18T10:01:00,1.04,UK\nC541433,23166,JAR,-74215,2011-01-18T10:17:00,1.04,UK\n\
         2,23166,JAR,10,2011-01-19T10:17:00,1.04,UK\n",
    );
    assert_eq!(shop.products[0].opening_stock.get(), 74_215);
}

#[test]
fn lines_without_code_or_quantity_are_counted_and_left_out() {
    let shop = shop(
        "1,,MUG,1,2010-12-01T08:26:00,1,UK\n1,  ,MUG,1,2010-12-01T08:26:00,1,UK\n\
         1,A1,MUG,0,2010-12-01T08:26:00,1,UK\n1,A1,MUG,1,2010-12-01T08:26:00,1,UK\n",
    );
    assert_eq!((shop.skipped_without_code, shop.skipped_zero_quantity, shop.lines.len()), (2, 1, 1));
}

#[test]
fn orders_are_consecutive_lines_of_one_invoice() {
    let lines: String = ["1", "1", "2", "1", "", ""]
        .iter()
        .map(|invoice| format!("{invoice},A1,MUG,1,2010-12-01T08:26:00,1,UK\n"))
        .collect();
    let orders = |limit| {
        let shop = Shop::parse(format!("{HEADER}{lines}").as_bytes(), limit).unwrap();
        shop.orders.iter().map(ShopOrder::range).collect::<Vec<_>>()
    };
    assert_eq!(orders(500), [0..2, 2..3, 3..4, 4..6]);
    assert_eq!(orders(1).len(), 6);
}

#[test]
fn errors_name_the_line_and_the_input() {
    let broken = |line: &str| Shop::parse(format!("{HEADER}{line}").as_bytes(), 500).unwrap_err();
    assert_eq!(
        broken("1,A1,MUG,many,2010-12-01T08:26:00,1,UK\n"),
        "line 2: the quantity is \"many\"; it has to be an integer"
    );
    assert!(broken("1,A1,MUG,1,yesterday,1,UK\n").contains("\"yesterday\""));
    assert!(broken("1,A1,MUG,1,2010-12-01T08:26:00,free,UK\n").contains("\"free\""));
    assert!(broken("1,A1,MUG,2000000000,2010-12-01T08:26:00,1,UK\n").contains("2000000000"));
    assert!(Shop::parse("a,b\n".as_bytes(), 1).unwrap_err().contains("no column InvoiceNo"));
}

#[test]
fn a_file_may_be_plain_or_gzip() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("lines.csv");
    let mut text = String::new();
    flate2::read::GzDecoder::new(SAMPLE).read_to_string(&mut text).unwrap();
    std::fs::write(&plain, &text).unwrap();
    let packed = folder.path().join("lines.csv.gz");
    std::fs::write(&packed, SAMPLE).unwrap();
    let sample = Shop::read(None, 500).unwrap();
    assert_eq!(Shop::read(Some(&plain), 500).unwrap(), sample);
    assert_eq!(Shop::read(Some(&packed), 500).unwrap(), sample);
    assert!(sample.lines.len() > 4_900 && sample.products.len() > 1_000);
}

#[test]
fn a_missing_file_is_named() {
    let error = Shop::read(Some(Path::new("/no/such/file.csv")), 500).unwrap_err().to_string();
    assert!(error.contains("/no/such/file.csv"), "{error}");
}
