//! A desk asks the network where its settings are.

use crate::config::Config;
use crate::firmware::Signal;
use core::time::Duration;
use tokio::sync::{mpsc, watch};

/// How soon it is asked again after nobody told, where no interval is set: the network may come up later than the phone.
const RETRY: Duration = Duration::from_secs(300);

/// Asks until somebody tells, and from then on each interval; a URL that is news goes to the screen and to `found`.
pub(super) async fn ask(config: Config, found: watch::Sender<Option<String>>, tell: mpsc::Sender<Signal>) {
    let interval = config.plug_and_play.interval;
    loop {
        let wait = match config.find_profile("plug and play", None).await {
            Ok(profile) => {
                if let Some(url) = profile.urls.into_iter().next()
                    && found.borrow().as_ref() != Some(&url)
                {
                    eprintln!("sidetone-phone: plug and play: the settings are at {url}");
                    found.send_replace(Some(url.clone()));
                    // A desk that is gone shows nothing.
                    let _ = tell.send(Signal::Profile { url }).await;
                }
                interval
            }
            Err(error) => {
                eprintln!("sidetone-phone: plug and play: {error}");
                Some(interval.unwrap_or(RETRY))
            }
        };
        let Some(wait) = wait else { return };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = tell.closed() => return,
        }
    }
}
