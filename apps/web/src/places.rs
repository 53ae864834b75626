//! Where the page finds the services: told by settings, or beside it on the host that the visitor uses.

use crate::host::Host;

/// Where a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// As a setting says.
    Url(String),
    /// At a port of the host that the visitor uses, so that another machine gets an address that it can reach.
    Beside {
        /// The port.
        port: u16,
        /// What follows it.
        path: &'static str,
    },
    /// On the page's own port.
    Here {
        /// What follows the origin.
        path: &'static str,
    },
}

impl Place {
    /// Returns the URL for a visitor who knows us as `host`.
    pub(crate) fn url(&self, host: &Host) -> String {
        match self {
            Self::Url(url) => url.clone(),
            Self::Beside { port, path } => format!("{}{path}", host.at(*port)),
            Self::Here { path } => format!("{}{path}", host.origin()),
        }
    }
}

/// Where the three services are that the page talks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The api.
    pub api: Place,
    /// The event stream, its path included.
    pub stream: Place,
    /// analytics.
    pub analytics: Place,
}

impl Places {
    /// Returns the origins that the page may connect to, each once, besides its own.
    pub(crate) fn origins(&self, host: &Host) -> Vec<String> {
        let mut origins: Vec<String> = Vec::new();
        let places = [&self.api, &self.stream, &self.analytics];
        for place in places.into_iter().filter(|place| !matches!(place, Place::Here { .. })) {
            if let Some(origin) = origin(&place.url(host))
                && origin != host.origin()
                && !origins.contains(&origin)
            {
                origins.push(origin);
            }
        }
        origins
    }
}

/// Returns scheme, host and port of a URL; `None` where these are not fit for a header. Of an IPv6 address the scheme alone:
/// a policy cannot name one (<https://www.w3.org/TR/CSP3/#grammardef-host-source>), and browsers drop what they cannot read.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let sane = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if !matches!(scheme, "http" | "https") || host.is_empty() || !host.chars().all(sane) {
        return None;
    }
    Some(if host.starts_with('[') { format!("{scheme}:") } else { format!("{scheme}://{host}") })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::*;

    fn host(host: &'static str) -> Host {
        Host::of(&HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]))
    }

    #[test]
    fn services_of_the_process_are_where_the_visitor_came() {
        let places = Places {
            api: Place::Beside { port: 3000, path: "" },
            stream: Place::Beside { port: 3001, path: "/events/stream" },
            analytics: Place::Url("https://figures.example/souk".to_owned()),
        };
        let visitor = host("192.168.0.7:5173");
        assert_eq!(places.stream.url(&visitor), "http://192.168.0.7:3001/events/stream");
        assert_eq!(
            places.origins(&visitor),
            ["http://192.168.0.7:3000", "http://192.168.0.7:3001", "https://figures.example"]
        );
    }

    #[test]
    fn on_one_port_there_is_no_other_origin() {
        let here = |path| Place::Here { path };
        let places = Places { api: here(""), stream: here("/events/stream"), analytics: here("") };
        assert_eq!(places.stream.url(&host("souk:3000")), "http://souk:3000/events/stream");
        assert!(places.origins(&host("souk:3000")).is_empty());
    }

    #[test]
    fn a_visitor_by_an_address_that_a_policy_cannot_name_gets_the_scheme() {
        let beside = |port, path| Place::Beside { port, path };
        let places = Places {
            api: beside(3000, ""),
            stream: beside(3001, "/events/stream"),
            analytics: Place::Url("https://[2001:db8::1]/souk".to_owned()),
        };
        let visitor = host("[::1]:5173");
        assert_eq!(places.api.url(&visitor), "http://[::1]:3000");
        assert_eq!(places.origins(&visitor), ["http:", "https:"]);
        let here = |path| Place::Here { path };
        let places = Places { api: here(""), stream: here("/events/stream"), analytics: here("") };
        assert!(places.origins(&visitor).is_empty(), "the page's own origin is 'self'");
    }

    #[test]
    fn what_could_end_a_directive_never_gets_into_it() {
        for url in ["http://a;script-src/", "http://a,b", "http://a'b", "javascript://x", "http://"] {
            assert_eq!(origin(url), None, "{url}");
        }
        assert_eq!(origin("http://user:pass@shop.example:1/x?y").as_deref(), Some("http://shop.example:1"));
    }
}
