//! What a desk does when another person takes it over.

use super::Run;
use crate::config::Guest;
use crate::firmware::Signal;
use std::io;

impl Run {
    /// Takes every registration back; nobody uses the telephone, over a restart too.
    pub(super) fn clear_accounts(&mut self) {
        for account in &self.accounts {
            let account = account.clone();
            tokio::spawn(async move {
                // The binding ends by itself where the server does not answer.
                let _ = account.unregister().await;
            });
        }
        self.keep(Guest::clear);
    }

    /// Begins anew with the account of this user.
    pub(super) fn sign_in(&mut self, user: &str, password: &str) {
        if self.keep(|guest| guest.sign_in(user, password)) {
            self.reload.send_replace(Some(false));
        }
    }

    /// Says whether it could be written.
    fn keep(&mut self, write: impl FnOnce(&Guest) -> io::Result<()>) -> bool {
        let wrong = match self.guest.as_ref().map(write) {
            Some(Ok(())) => return true,
            Some(Err(error)) => error.to_string(),
            None => "there is no settings file".to_owned(),
        };
        eprintln!("sidetone-phone: who uses the telephone is not kept: {wrong}");
        self.firmware.handle_signal(self.now(), Signal::NotKept);
        false
    }
}
