//! The sample's figures by the hour, computed from its file alone: what analytics has to have after `souk load`.

use std::collections::BTreeMap;
use std::io::Read as _;

use serde_json::Value;

use crate::support::Client;

/// The file that the binary holds.
const SAMPLE: &[u8] = include_bytes!("../../../../apps/load/sample/online-retail.csv.gz");

/// What one hour came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// In ten-thousandths.
    revenue: i128,
    sold: i64,
    returned: i64,
}

/// Figures by the hour's beginning; hours in which nothing was sold or came back are left out.
pub type Hours = BTreeMap<String, Hour>;

/// Computes them from the file.
pub fn of_the_sample() -> Hours {
    let mut text = String::new();
    flate2::read::GzDecoder::new(SAMPLE).read_to_string(&mut text).expect("the sample is gzip and UTF-8");
    let mut rows = rows(&text).into_iter();
    let head = rows.next().expect("the sample has a head");
    let column = |name: &str| head.iter().position(|it| it == name).expect("the sample has its columns");
    let (code, quantity) = (column("StockCode"), column("Quantity"));
    let (date, price) = (column("InvoiceDate"), column("UnitPrice"));
    let mut hours = Hours::new();
    for row in rows {
        let pieces: i64 = row[quantity].parse().expect("a quantity");
        if pieces == 0 || row[code].trim().is_empty() {
            continue;
        }
        let hour = hours.entry(format!("{}:00:00.000Z", &row[date][.."2010-12-01T08".len()])).or_default();
        hour.revenue += i128::from(pieces) * units(&row[price]).max(0);
        if pieces > 0 { hour.sold += pieces } else { hour.returned -= pieces }
    }
    hours
}

/// Asks analytics for them.
pub fn of_analytics(analytics: &mut Client) -> Hours {
    let (mut hours, mut after) = (Hours::new(), String::new());
    loop {
        let reply = analytics.get(&format!("/aggregates?window=hour&by=total&limit=500{after}"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        let page = reply.json();
        for item in page["items"].as_array().expect("items") {
            let number = |name: &str| item[name].as_i64().expect("a whole number");
            let hour = Hour {
                revenue: units(item["revenue"].as_str().expect("a decimal as a string")),
                sold: number("unitsSold"),
                returned: number("unitsReturned"),
            };
            if hour != Hour::default() {
                hours.insert(item["bucket"].as_str().expect("an hour has a beginning").to_owned(), hour);
            }
        }
        match &page["nextCursor"] {
            Value::String(cursor) => after = format!("&cursor={cursor}"),
            _ => return hours,
        }
    }
}

/// Reads a decimal exactly, as ten-thousandths.
fn units(text: &str) -> i128 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    assert!(fraction.len() <= 4, "{text} has more than four digits after the point");
    sign * format!("{whole}{fraction:0<4}").parse::<i128>().expect("a decimal")
}

/// Splits CSV into rows of fields (RFC 4180).
fn rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '"' if quoted && rest.peek() == Some(&'"') => field.extend(rest.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !quoted => {}
            other => field.push(other),
        }
    }
    if !field.is_empty() || !row.is_empty() {
        row.push(field);
        rows.push(row);
    }
    rows
}
