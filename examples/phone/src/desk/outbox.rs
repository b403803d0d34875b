//! Texts that wait to be sent are kept on the disk: before they are sent, and whenever something becomes of one.

use super::Run;
use crate::config::{Config, KeptText, Outbox, OutboxFileError};
use crate::firmware::Signal;

/// The file, and what the firmware does not know of it.
#[derive(Debug, Default)]
pub(super) struct KeptTexts {
    /// `None` without a file, and where writing it would lose what is in it.
    file: Option<Outbox>,
    /// The addresses of the accounts, in their order.
    accounts: Vec<String>,
    /// Texts of accounts that the telephone does not have now: a guest's, whose desk this will be again.
    others: Vec<KeptText>,
    /// What the firmware's texts were when they were kept last.
    revision: u64,
}

impl KeptTexts {
    pub(super) fn new(config: &Config) -> Self {
        let accounts = config.accounts.iter().map(|account| account.aor.to_string()).collect();
        Self { file: config.outbox.clone(), accounts, ..Self::default() }
    }
}

impl Run {
    /// The texts of the last time wait again.
    pub(super) async fn restore_texts(&mut self) {
        let Some(file) = self.outbox.file.clone() else { return };
        let (texts, error) = on_disk(move || file.load()).await.unwrap_or_default();
        if let Some(error) = error {
            self.tell_not_kept(&error.to_string());
            if matches!(error, OutboxFileError::Io { .. }) {
                self.outbox.file = None;
            }
        }
        let now = self.now();
        for kept in texts {
            let account = self.outbox.accounts.iter().position(|account| *account == kept.account);
            let taken = account.map(|account| {
                self.firmware.restore_text(now, account, &kept.to, &kept.text, kept.tries).is_ok()
            });
            if taken != Some(true) {
                self.outbox.others.push(kept);
            }
        }
        self.outbox.revision = self.firmware.texts_revision();
    }

    /// Keeps what waits, if that has changed. The desk waits for the disk, the sound does not.
    pub(super) async fn keep_texts(&mut self) {
        let revision = self.firmware.texts_revision();
        if core::mem::replace(&mut self.outbox.revision, revision) == revision {
            return;
        }
        let Some(file) = self.outbox.file.clone() else { return };
        let kept = self.firmware.outgoing_texts().filter_map(|text| {
            let account = self.outbox.accounts.get(usize::try_from(text.account).ok()?)?;
            Some(KeptText::new(account, &text.to, &text.text, text.tries))
        });
        // Those of others were there first.
        let texts: Vec<KeptText> = self.outbox.others.iter().cloned().chain(kept).collect();
        match on_disk(move || file.save(&texts)).await {
            Some(Ok(())) | None => {}
            Some(Err(error)) => self.tell_not_kept(&error.to_string()),
        }
    }

    fn tell_not_kept(&mut self, why: &str) {
        eprintln!("sidetone-phone: texts that wait to be sent: {why}");
        self.firmware.handle_signal(self.now(), Signal::TextsNotKept);
    }
}

/// Works with a file where that stops nothing else; `None` only when the program ends.
async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
