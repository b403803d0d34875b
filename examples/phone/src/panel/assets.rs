//! The page's files, built into the program.

use super::Panel;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

const FILES: [(&str, &str, &str); 6] = [
    ("panel.css", CSS, include_str!("assets/panel.css")),
    ("panel.js", SCRIPT, include_str!("assets/panel.js")),
    ("phone.js", SCRIPT, include_str!("assets/phone.js")),
    ("handset.js", SCRIPT, include_str!("assets/handset.js")),
    ("worklet.js", SCRIPT, include_str!("assets/worklet.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// The page itself.
pub(super) async fn page(State(panel): State<Arc<Panel>>) -> Response {
    file(&panel, HTML, include_str!("assets/index.html"))
}

/// A file of the page.
pub(super) async fn asset(State(panel): State<Arc<Panel>>, Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => file(&panel, kind, text),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn file(panel: &Panel, kind: &'static str, text: &'static str) -> Response {
    // Nothing from elsewhere, and no page of elsewhere around this one.
    let port = panel.address.port();
    let sockets = format!("ws://127.0.0.1:{port} ws://localhost:{port}");
    let policy =
        format!("default-src 'self'; connect-src 'self' {sockets}; frame-ancestors 'none'; base-uri 'none'");
    let headers: [(HeaderName, String); 5] = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    (headers, text).into_response()
}
