//! `message`: a text, and one line of JSON that says what became of it.

use super::{Outcome, Run, watching::no_account};
use serde::Serialize;
use sidetone_sip_ua::{Account, Error};

/// The line for a text.
#[derive(Serialize)]
struct TextReport<'a> {
    to: &'a str,
    sent: bool,
    /// The status that refused it; 408 stands for silence.
    status: Option<u16>,
    reason: String,
}

impl<O: FnMut(String)> Run<O> {
    /// Sends a text. Well done if a server or the other side took it.
    pub(super) async fn message(&mut self, account: Option<&Account>, to: &str, text: &str) -> Outcome {
        let Some(account) = account else { return no_account() };
        let (sent, status, reason) = match account.message(to, text).await {
            Ok(()) => (true, Some(200), String::new()),
            Err(Error::Refused(status)) => (false, Some(status.code()), status.reason().to_owned()),
            Err(error @ Error::Uri(_)) => {
                eprintln!("sidetone-phone: to whom: {error}");
                return Outcome::Usage;
            }
            Err(error) => (false, None, error.to_string()),
        };
        self.print(&TextReport { to, sent, status, reason });
        if sent { Outcome::Done } else { Outcome::CallFailed }
    }
}
