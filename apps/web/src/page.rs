//! The page at `/`, with the headers that say what it may do.

use axum::response::Response;
use http::header::{CONTENT_SECURITY_POLICY, LINK, REFERRER_POLICY, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::assets::INDEX;
use crate::host::Host;
use crate::places::Places;
use crate::serve;

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// What the page asks the api first, unless its address says otherwise, which no server sees: as
/// `assets/app/pages/products/first.js` puts it, to the letter.
const FIRST_LIST: &str = "/products?limit=100&sort=-createdAt";

/// Answers with the page.
pub fn answer(headers: &HeaderMap, places: &Places) -> Response {
    let mut response = serve::answer(&INDEX, headers, serve::ASK);
    let answer = response.headers_mut();
    // Programs get three lines of text at the same address.
    answer.append(VARY, HeaderValue::from_static("accept"));
    let host = Host::of(headers);
    answer.insert(CONTENT_SECURITY_POLICY, policy(&host, places));
    if let Some(link) = first_list(&places.api.url(&host)) {
        answer.insert(LINK, link);
    }
    // Stricter ones make the `Origin` of some requests to ourselves `null`.
    answer.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    answer.insert(CROSS_ORIGIN_OPENER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// Returns the header that has a browser ask for the first list at once, a good while before the first script runs.
fn first_list(api: &str) -> Option<HeaderValue> {
    // A setting may hold what would end the address here; the page asks by itself then.
    let fits = !api.contains(|c: char| matches!(c, '<' | '>') || c.is_whitespace());
    fits.then(|| {
        HeaderValue::try_from(format!("<{api}{FIRST_LIST}>; rel=preload; as=fetch; crossorigin")).ok()
    })?
}

/// Returns the policy: scripts and styles of our own alone, none of them inline, and connections to the services.
fn policy(host: &Host, places: &Places) -> HeaderValue {
    let mut connect = "'self'".to_owned();
    for origin in places.origins(host) {
        connect.push(' ');
        connect.push_str(&origin);
    }
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src \
         {connect}; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("origins are checked to be of few characters")
}
