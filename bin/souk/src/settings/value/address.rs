//! The little of URLs and addresses that settings need.

use souk_events::stream;

/// Tells whether `text` is an http or https URL.
pub fn http(text: &str) -> Result<(), &'static str> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let Some(rest) = rest else { return Err("is not an http URL") };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_and_port = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match host_and_port.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (host_and_port, None),
    };
    if host.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("names no host");
    }
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err("has a port that is none");
    }
    Ok(())
}

/// Returns brokers without the blanks between them.
pub fn brokers(text: &str) -> Result<String, &'static str> {
    let brokers: Vec<&str> = text.split(',').map(str::trim).collect();
    for broker in &brokers {
        let Some((host, port)) = broker.rsplit_once(':') else { return Err("has a broker without a port") };
        if broker.contains("://") {
            return Err("has a broker with a scheme");
        }
        if host.is_empty() || host.chars().any(char::is_whitespace) {
            return Err("has a broker without a host");
        }
        if !matches!(port.parse::<u16>(), Ok(1..)) {
            return Err("has a broker whose port is none");
        }
    }
    Ok(brokers.join(","))
}

/// Returns where the event stream is: where `url` names a host alone, at the path under which souk serves it.
pub fn of_stream(url: &str) -> String {
    let url = url.trim_end_matches('/');
    let has_path = url.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    if has_path { url.to_owned() } else { format!("{url}{}", stream::PATH) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls() {
        for text in ["http://localhost:3000", "http://[::1]:3000/x", "http://user:pass@shop.example/"] {
            assert_eq!(http(text), Ok(()), "{text}");
        }
        for text in ["localhost:3000", "http://", "http://:3000", "http://a b/", "http://a:99999", "ftp://a"]
        {
            assert!(http(text).is_err(), "{text}");
        }
        assert!(http("https://dynamodb.eu-west-1.amazonaws.com").is_ok());
    }

    #[test]
    fn reads_brokers() {
        assert_eq!(brokers("localhost:9092").as_deref(), Ok("localhost:9092"));
        assert_eq!(brokers("a:1, [::1]:9092").as_deref(), Ok("a:1,[::1]:9092"));
        for text in ["localhost", "localhost:", ":9092", "localhost:0", "kafka://a:1", "a:1,", "a b:1", ""] {
            assert!(brokers(text).is_err(), "{text}");
        }
    }
}
