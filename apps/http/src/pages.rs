//! Pages for people: `GET /` and `/problems/<code>`, as HTML in a browser and as text elsewhere.

use std::fmt::Write as _;

use axum::body::Body;
use axum::response::Response;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{Code, VERSION};

/// Nothing from elsewhere, no scripts: the pages hold text and their own style.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem;\
                     color:#222;background:#fff}code,pre{font-family:ui-monospace,monospace;font-size:.95em}\
                     pre{white-space:pre-wrap}\
                     @media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}a{color:#8bf}}";

/// The `Cache-Control` of an event stream: caches must not keep it, and nobody may compress and so buffer it.
pub const STREAM_CACHE_CONTROL: &str = "no-store, no-transform";

/// Tells whether the client asks for HTML, as browsers do.
pub fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| range.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/html"))
}

/// `GET /`: what this is, its version, where its things are.
pub(crate) fn root(headers: &HeaderMap, name: &str, about: &str, backend: &str) -> Response {
    let (what, places) = about.split_once('\n').unwrap_or((about, "/health, /livez, /readyz, /metrics"));
    if wants_html(headers) {
        let mut body = format!("<p>{}</p><p>Version {VERSION}, {}.</p><pre>", escape(what), escape(backend));
        link_paths(&mut body, places.trim_end());
        body.push_str("</pre><p><a href=\"/health\">health</a> · <a href=\"/metrics\">metrics</a></p>");
        return html(&format!("souk {name}"), &body);
    }
    text(format!("{what}\nsouk {name} {VERSION}, {backend}\n{}\n", places.trim_end()))
}

/// `GET /problems/<code>`: what a problem means and what to do.
pub(crate) fn problem(headers: &HeaderMap, code: Code) -> Response {
    let (name, status) = (code.as_str(), code.status().as_u16());
    if wants_html(headers) {
        let mut body =
            format!("<p>{}</p><p><code>{name}</code>, status {status}</p><h2>All codes</h2><ul>", {
                escape(code.explanation())
            });
        for other in Code::ALL {
            let other = other.as_str();
            let _ = write!(body, "<li><a href=\"/problems/{other}\"><code>{other}</code></a></li>");
        }
        body.push_str("</ul>");
        return html(code.title(), &body);
    }
    text(format!("{name} ({status}): {}\n\n{}\n", code.title(), code.explanation()))
}

/// Answers with text.
pub(crate) fn text(body: impl Into<Body>) -> Response {
    typed(body.into(), "text/plain; charset=utf-8")
}

/// Answers with a body of a media type.
pub(crate) fn typed(body: Body, media_type: &'static str) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// Answers with an event stream, or with what asks its reader to come back.
pub fn event_stream(body: Body) -> Response {
    let mut response = typed(body, "text/event-stream; charset=utf-8");
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(STREAM_CACHE_CONTROL));
    // nginx buffers proxied answers unless told otherwise.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

fn html(title: &str, body: &str) -> Response {
    let title = escape(title);
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head>\
         <body><h1>{title}</h1>{body}</body></html>\n"
    );
    let mut response = typed(Body::from(page), "text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
    response
}

/// Writes text with every word that begins with `/`, `http://` or `https://` as a link.
fn link_paths(page: &mut String, text: &str) {
    for piece in text.split_inclusive([' ', '\n', ',', ';']) {
        let word = piece.trim_end_matches([' ', '\n', ',', ';']);
        let is_link = ["/", "http://", "https://"].iter().any(|start| word.starts_with(start));
        if is_link && !word.contains('{') {
            let (word, rest) = (escape(word), escape(&piece[word.len()..]));
            let _ = write!(page, "<a href=\"{word}\">{word}</a>{rest}");
        } else {
            page.push_str(&escape(piece));
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_places_and_escapes_the_rest() {
        let mut page = String::new();
        link_paths(&mut page, "/products, /products/{id} <b> http://localhost:3001/; /health");
        assert_eq!(
            page,
            "<a href=\"/products\">/products</a>, /products/{id} &lt;b&gt; \
             <a href=\"http://localhost:3001/\">http://localhost:3001/</a>; <a href=\"/health\">/health</a>"
        );
    }

    #[test]
    fn only_browsers_get_html() {
        let accept = |value| HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(value))]);
        assert!(wants_html(&accept("text/html,application/xhtml+xml,*/*;q=0.8")));
        assert!(!wants_html(&accept("*/*")));
        assert!(!wants_html(&accept("application/json, text/htmlx")));
    }
}
