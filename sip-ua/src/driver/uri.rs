//! What can be dialled.

use super::Error;
use sidetone_sip_core::Uri;
use std::format;
use std::string::String;

/// Something that can be called from an account: a [`Uri`], or text.
///
/// Text with a scheme is a URI (`sip:bob@example.org`); text with `@` lacks only the scheme (`bob@example.org`); other
/// text is a user or number at the account's own domain (`*43`). Where the scheme is missing it is the account's, so
/// that an account of `sips` calls nobody but over TLS.
pub trait IntoUri {
    /// The URI, with what is missing taken from the account's address of record.
    ///
    /// # Errors
    /// [`Error::Uri`] when the text makes no URI.
    fn into_uri(self, aor: &Uri) -> Result<Uri, Error>;
}

impl IntoUri for Uri {
    fn into_uri(self, _aor: &Uri) -> Result<Uri, Error> {
        Ok(self)
    }
}

impl IntoUri for &Uri {
    fn into_uri(self, _aor: &Uri) -> Result<Uri, Error> {
        Ok(self.clone())
    }
}

impl IntoUri for &str {
    fn into_uri(self, aor: &Uri) -> Result<Uri, Error> {
        let text = self.trim();
        let has_scheme = ["sip:", "sips:", "tel:"]
            .iter()
            .any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
        if has_scheme {
            Ok(text.parse()?)
        } else if text.contains('@') {
            let scheme = if aor.is_sips() { "sips" } else { "sip" };
            Ok(format!("{scheme}:{text}").parse()?)
        } else {
            let host = aor.host().map(|host| format!("{host}")).unwrap_or_default();
            let uri = if aor.is_sips() { Uri::sips } else { Uri::sip };
            Ok(uri(Some(text), &host, aor.port())?)
        }
    }
}

impl IntoUri for String {
    fn into_uri(self, aor: &Uri) -> Result<Uri, Error> {
        self.as_str().into_uri(aor)
    }
}

impl IntoUri for &String {
    fn into_uri(self, aor: &Uri) -> Result<Uri, Error> {
        self.as_str().into_uri(aor)
    }
}
