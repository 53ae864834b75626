//! The vectors of web-platform-tests `eventsource/format-*`, and properties.

use proptest::prelude::*;

use super::*;

/// Parses `stream` in one piece into (type, data, last event id).
fn parse(stream: &[u8]) -> Vec<(String, String, String)> {
    parse_cut(stream, &[])
}

fn parse_cut(stream: &[u8], cuts: &[usize]) -> Vec<(String, String, String)> {
    let mut parser = Parser::new();
    let mut events = Vec::new();
    let mut rest = stream;
    let mut done = 0;
    for cut in cuts {
        let (chunk, tail) = rest.split_at((cut - done).min(rest.len()));
        done += chunk.len();
        rest = tail;
        parser.push(chunk, |e| events.push((e.name().into(), e.data().into(), e.id().into())));
    }
    parser.push(rest, |e| events.push((e.name().into(), e.data().into(), e.id().into())));
    events
}

fn data(stream: impl AsRef<[u8]>) -> Vec<String> {
    parse(stream.as_ref()).into_iter().map(|(_, data, _)| data).collect()
}

#[test]
fn strips_one_byte_order_mark() {
    assert_eq!(data("\u{feff}data:1\n\n\u{feff}data:2\n\ndata:3\n\n"), ["1", "3"]);
    assert_eq!(data("\u{feff}\u{feff}data:1\n\ndata:2\n\ndata:3\n\n"), ["2", "3"]);
}

#[test]
fn ignores_comments() {
    let long = "x".repeat(2 * 1024);
    let stream = format!("data:1\r:\0\n:\r\ndata:2\n:{long}\rdata:3\n:data:fail\r:{long}\ndata:4\n\n");
    assert_eq!(data(stream), ["1\n2\n3\n4"]);
}

#[test]
fn joins_lines_and_keeps_empty_data() {
    assert_eq!(data("data:\n\ndata\ndata\n\ndata:test\n\n"), ["", "\n", "test"]);
    assert_eq!(data("data:test\r\ndata: \r\ndata:test\r\n\r\n"), ["test\n\ntest"]);
}

#[test]
fn discards_an_incomplete_last_block() {
    assert_eq!(data("retry:1000\ndata:test1\n\nid:test\ndata:test2"), ["test1"]);
    assert_eq!(data("data:test1\n\ndata:test2\n"), ["test1"]);
}

#[test]
fn parses_fields_to_the_letter() {
    assert_eq!(
        data(
            "data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n"
        ),
        ["\0\n 2\n1\n3\n\n4"]
    );
    assert_eq!(
        data("data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n"),
        ["test\n\ntest"]
    );
    assert_eq!(data("data:\ttest\rdata: \ndata:test\n\n"), ["\ttest\n\ntest"]);
    assert_eq!(data("data: data\n\n"), ["data"]);
}

#[test]
fn takes_the_last_event_field_of_a_block() {
    let event = |stream: &str| parse(stream.as_bytes()).remove(0);
    assert_eq!(event("event:test\ndata:x\n\n").0, "test");
    assert_eq!(event("event: \ndata:data\n\n").0, "message");
    assert_eq!(event("event:a\nevent:b\ndata:x\n\n").0, "b");
    let two = parse(b"event:a\ndata:x\n\ndata:y\n\n");
    assert_eq!((two[0].0.as_str(), two[1].0.as_str()), ("a", "message"));
}

#[test]
fn keeps_the_id_until_it_is_set_anew() {
    let ids = |stream: &[u8]| parse(stream).into_iter().map(|(.., id)| id).collect::<Vec<_>>();
    assert_eq!(ids(b"id:1\ndata:a\n\ndata:b\n\nid\ndata:c\n\n"), ["1", "1", ""]);
    assert_eq!(ids(b"id:1\ndata:a\n\nid:2\0\ndata:b\n\n"), ["1", "1"]);
    assert_eq!(ids(b"id:7\n\ndata:b\n\n"), ["7"], "an id without data moves the id, but is no event");
    assert_eq!(ids("id:\u{2026}\ndata:a\n\n".as_bytes()), ["\u{2026}"]);
}

#[test]
fn an_id_counts_once_its_block_is_whole() {
    let mut parser = Parser::new();
    parser.push(b"id: 1\ndata: a\n\nid: 2\ndata: b\n", |_| {});
    assert_eq!(parser.last_event_id(), "1");
    parser.push(b"\n", |_| {});
    assert_eq!(parser.last_event_id(), "2");
    assert_eq!(Parser::resuming("9").last_event_id(), "9");
}

#[test]
fn retry_is_digits_only() {
    let retry = |stream: &[u8]| {
        let mut parser = Parser::new();
        parser.push(stream, |_| {});
        parser.retry()
    };
    assert_eq!(retry(b"retry:03000\n"), Some(3000));
    assert_eq!(retry(b"retry:3000\nretry:1000x\ndata:x\n\n"), Some(3000));
    assert_eq!(retry(b"retry\n"), None);
    assert_eq!(retry(b"retry:-1\nretry: +5\nretry:1.5\n"), None);
    assert_eq!(retry(b"retry:99999999999999999999\n"), Some(u64::MAX));
}

#[test]
fn ends_lines_at_cr_lf_and_both() {
    assert_eq!(data("data:a\r\rdata:b\n\ndata:c\r\n\r\n"), ["a", "b", "c"]);
    assert_eq!(data("data:a\r\n\ndata:b\n\r\n"), ["a", "b"]);
}

#[test]
fn replaces_what_is_not_utf_8() {
    assert_eq!(data(b"data:ok\xff\n\n"), ["ok\u{fffd}"]);
}

proptest! {
    #[test]
    fn a_cut_anywhere_changes_nothing(
        lines in proptest::collection::vec(
            prop_oneof!["data:.{0,9}", "data", "id: ?[a-z\0]{0,3}", "event: [a-z]{0,3}", ":.{0,5}", Just(String::new())], 0..20),
        ends in proptest::collection::vec(prop_oneof![Just("\n"), Just("\r"), Just("\r\n")], 20),
        mark: bool,
    ) {
        let mut stream = if mark { "\u{feff}".to_owned() } else { String::new() };
        for (line, end) in lines.iter().zip(ends) {
            stream.push_str(line);
            stream.push_str(end);
        }
        let stream = stream.as_bytes();
        let whole = parse(stream);
        for cut in 0..=stream.len() {
            prop_assert_eq!(&parse_cut(stream, &[cut]), &whole, "cut at {}", cut);
        }
        let every: Vec<usize> = (0..stream.len()).collect();
        prop_assert_eq!(&parse_cut(stream, &every), &whole);
    }
}
