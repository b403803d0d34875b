//! Keeps other sites out. A page from anywhere may open a WebSocket to this machine, and a name of anywhere may resolve to it;
//! the browser tells the truth about both in `Origin` and `Host`.

use super::Panel;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use core::net::SocketAddr;
use std::sync::Arc;

/// Lets a request pass if it is meant for the loopback address that is served, and comes from a page served there, or from no
/// page at all.
pub(super) async fn check(State(panel): State<Arc<Panel>>, request: Request, next: Next) -> Response {
    if allowed(panel.address, request.headers()) {
        return next.run(request).await;
    }
    tracing::warn!(headers = ?request.headers().get(header::ORIGIN), "request of another site refused");
    (StatusCode::FORBIDDEN, "the panel is served on this machine only\n").into_response()
}

fn allowed(address: SocketAddr, headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Some(None),
            (Some(value), None) => value.to_str().ok().map(Some),
            (Some(_), Some(_)) => None,
        }
    };
    let ours = |host: &str| is_ours(address, host);
    let host = matches!(text(header::HOST), Some(Some(host)) if ours(host));
    let origin = match text(header::ORIGIN) {
        Some(None) => true,
        Some(Some(origin)) => origin.strip_prefix("http://").is_some_and(ours),
        None => false,
    };
    host && origin
}

fn is_ours(address: SocketAddr, host: &str) -> bool {
    let port = address.port();
    let names =
        [address.ip().to_string(), "127.0.0.1".to_owned(), "localhost".to_owned(), "[::1]".to_owned()];
    let same = |name: &String| {
        host.eq_ignore_ascii_case(&format!("{name}:{port}"))
            || (port == 80 && host.eq_ignore_ascii_case(name))
    };
    names.iter().any(same) || host == address.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn check(host: Option<&str>, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in [(header::HOST, host), (header::ORIGIN, origin)] {
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_str(value).expect("a value"));
            }
        }
        allowed(SocketAddr::from(([127, 0, 0, 1], 8080)), &headers)
    }

    #[test]
    fn only_pages_of_this_server_pass() {
        assert!(check(Some("127.0.0.1:8080"), Some("http://127.0.0.1:8080")));
        assert!(check(Some("localhost:8080"), Some("http://localhost:8080")));
        assert!(check(Some("127.0.0.1:8080"), None), "a program that is no browser");
        for (host, origin) in [
            (Some("127.0.0.1:8080"), Some("http://evil.example")),
            (Some("127.0.0.1:8080"), Some("http://127.0.0.1:8080.evil.example")),
            (Some("127.0.0.1:8080"), Some("https://127.0.0.1:8080")),
            (Some("127.0.0.1:8080"), Some("http://127.0.0.1:9090")),
            (Some("127.0.0.1:8080"), Some("null")),
            (Some("evil.example:8080"), None),
            (Some("evil.example:8080"), Some("http://evil.example:8080")),
            (Some("127.0.0.1"), None),
            (None, None),
        ] {
            assert!(!check(host, origin), "{host:?} {origin:?}");
        }
    }
}
