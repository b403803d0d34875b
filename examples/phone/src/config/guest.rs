//! Who has taken the telephone over, beside the settings file: kept over restarts (hot desking).

use sidetone_sip_core::Secret;
use sidetone_sip_ua::AccountConfig;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The file beside the settings.
#[derive(Clone, Debug)]
pub struct Guest(PathBuf);

/// The longest line that is read: a user and a password of the settings' lengths.
const MAX_LINE: usize = 512;

impl Guest {
    /// The file that belongs to these settings.
    #[must_use]
    pub fn beside(settings: &Path) -> Self {
        let mut name = settings.as_os_str().to_owned();
        name.push(".guest");
        Self(name.into())
    }

    /// The telephone is nobody's any more.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn clear(&self) -> io::Result<()> {
        self.write("")
    }

    /// The telephone is this user's.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn sign_in(&self, user: &str, password: &str) -> io::Result<()> {
        self.write(&format!("{user}:{password}\n"))
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&self.0)?.write_all(text.as_bytes())
    }

    /// The accounts of the telephone: those of the settings, or the guest's at the server of the first of them.
    pub(super) fn apply(&self, accounts: &mut Vec<AccountConfig>) {
        let Ok(text) = std::fs::read_to_string(&self.0) else { return };
        let first = accounts.first().cloned();
        accounts.clear();
        let line = text.lines().next().unwrap_or_default();
        let Some((user, password)) = line.split_once(':').filter(|_| line.len() <= MAX_LINE) else { return };
        let Some(mut account) = first else { return };
        account.aor.set_user(Some(user));
        (account.auth_user, account.display_name) = (None, None);
        account.password = Some(Secret::new(password));
        accounts.push(account);
    }
}
