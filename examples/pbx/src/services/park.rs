//! Park orbits: the first call to the number is held there with music, the next one is connected with it.
//!
//! To park, the caller is transferred to the orbit (REFER), or dials it. The lamp of an orbit needs nothing of its own: a
//! call to the orbit is a dialog of the orbit's, which the proxy's [`DialogTable`](crate::DialogTable) has.

use super::music::Music;
use super::stage::stage;
use super::voicemail::unescape;
use super::{Services, established};
use crate::event::PbxEvent;
use crate::proxy::Extension;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use hashbrown::HashMap;
use sidetone_hal::audio::AudioFormat;
use sidetone_media::tone::{Part, Tone};
use sidetone_sip_ua::{Call, CallEvent, CallHandle, Conference, Error, IncomingCall};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// A park orbit.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OrbitConfig {
    /// What the parked caller hears.
    pub music: Music,
    /// How long a call is parked; then who parked it is called back, if that is known, and the call ends otherwise.
    /// Default 2 minutes.
    pub time_out: Duration,
    /// How long it rings there before the call ends. Default 30 s.
    pub ring_back: Duration,
}

impl Default for OrbitConfig {
    fn default() -> Self {
        Self {
            music: Music::melody(),
            time_out: Duration::from_secs(120),
            ring_back: Duration::from_secs(30),
        }
    }
}

/// Heard by who takes a call from an orbit, and by the caller: now you are connected.
const CONNECTED: Tone = Tone { parts: &[Part { hertz: &[440.0], millis: 150 }], once: true };

/// The calls that are parked, by orbit: one each, so there are no more than orbits.
#[derive(Default)]
pub(crate) struct Orbits {
    parked: Mutex<HashMap<String, Parked>>,
    next: AtomicU64,
}

struct Parked {
    number: u64,
    call: CallHandle,
    /// Tells the parked call that somebody took it: the other end of it says when that one is over.
    taken: oneshot::Sender<oneshot::Receiver<()>>,
    /// Dropped when the parked call is over.
    gone: oneshot::Receiver<()>,
}

impl Orbits {
    /// How many calls are parked.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Parked>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn serve(
    services: Arc<Services>,
    orbit: &str,
    config: &OrbitConfig,
    incoming: IncomingCall,
) -> Result<(), Error> {
    let caller = incoming.from().uri.address_of_record().to_string();
    let referrer = incoming.uri().param(Extension::REFERRER).flatten().and_then(unescape);
    let referrer = referrer.and_then(|user| String::from_utf8(user).ok());
    let waiting = services.orbits.lock().remove(orbit);
    match waiting {
        Some(parked) => retrieve(&services, orbit, parked, incoming).await,
        None => park(services, orbit, config, caller, referrer, incoming).await,
    }
}

async fn park(
    services: Arc<Services>,
    orbit: &str,
    config: &OrbitConfig,
    caller: String,
    referrer: Option<String>,
    incoming: IncomingCall,
) -> Result<(), Error> {
    let (stage, port) = stage(AudioFormat::WIDEBAND);
    let agent_account = services.callback_account(incoming.uri());
    let mut call = incoming.answer(port).await?;
    if !established(&mut call).await {
        return Ok(());
    }
    stage.start(stage.music(&config.music));
    let (taken, mut took) = oneshot::channel();
    let (_here, gone) = oneshot::channel();
    let number = services.orbits.next.fetch_add(1, Ordering::Relaxed);
    let parked = Parked { number, call: call.handle(), taken, gone };
    // Two who park at one moment: the second call waits where the first was, and the first ends.
    services.orbits.lock().insert(orbit.into(), parked);
    let mut guard =
        ParkGuard { services: Arc::clone(&services), orbit: orbit.into(), number, in_orbit: true };
    services.tell(PbxEvent::Parked { orbit: orbit.into(), caller });
    let partner = tokio::select! {
        biased;
        () = hung_up(&mut call) => None,
        partner = &mut took => partner.ok(),
        () = tokio::time::sleep(config.time_out) => {
            took.close();
            guard.leave();
            let account = agent_account.zip(referrer);
            if let Some((account, referrer)) = account {
                let handle = call.handle();
                let back = call_back(&account, &referrer, config.ring_back, &handle, || stage.stop());
                tokio::select! {
                    biased;
                    () = hung_up(&mut call) => {}
                    outcome = back => outcome?,
                }
            }
            None
        }
    };
    let Some(partner) = partner else { return Ok(()) };
    guard.in_orbit = false;
    services.tell(PbxEvent::Unparked { orbit: orbit.into() });
    stage.start(stage.tone(CONNECTED));
    tokio::select! {
        biased;
        () = hung_up(&mut call) => {}
        // Its sender is dropped when that call is over.
        _ = partner => {}
    }
    Ok(())
}

/// A call that is parked no more, whatever way it ended.
struct ParkGuard {
    services: Arc<Services>,
    orbit: String,
    number: u64,
    in_orbit: bool,
}

impl ParkGuard {
    fn leave(&mut self) {
        if core::mem::take(&mut self.in_orbit) {
            let mut parked = self.services.orbits.lock();
            // Another may be there by now.
            if parked.get(&self.orbit).is_some_and(|parked| parked.number == self.number) {
                parked.remove(&self.orbit);
            }
            drop(parked);
            self.services.tell(PbxEvent::Unparked { orbit: self.orbit.clone() });
        }
    }
}

impl Drop for ParkGuard {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Connects a call with the one that waits in the orbit.
async fn retrieve(
    services: &Services,
    orbit: &str,
    parked: Parked,
    incoming: IncomingCall,
) -> Result<(), Error> {
    let (_stage, port) = stage(AudioFormat::WIDEBAND);
    let mut call = match incoming.answer(port).await {
        Ok(call) => call,
        Err(error) => {
            services.put_back(orbit, parked);
            return Err(error);
        }
    };
    if !established(&mut call).await {
        services.put_back(orbit, parked);
        return Ok(());
    }
    let (_here, over) = oneshot::channel();
    let Parked { call: waiting, taken, gone, .. } = parked;
    if taken.send(over).is_err() {
        return Ok(());
    }
    let _mix = Conference::new([&waiting, &call.handle()]).await?;
    tokio::select! {
        biased;
        () = hung_up(&mut call) => {}
        _ = gone => {}
    }
    Ok(())
}

impl Services {
    /// Who wanted the parked call gave up before he had it.
    fn put_back(&self, orbit: &str, parked: Parked) {
        let mut orbits = self.orbits.lock();
        // Its call may be over, or on its way back to who parked it.
        if !parked.taken.is_closed() {
            orbits.entry(orbit.into()).or_insert(parked);
        }
    }
}

/// Rings at who parked the call, and connects the two until one hangs up.
async fn call_back(
    account: &sidetone_sip_ua::Account,
    referrer: &str,
    ring_for: Duration,
    parked: &CallHandle,
    connected: impl FnOnce(),
) -> Result<(), Error> {
    let (_stage, port) = stage(AudioFormat::WIDEBAND);
    let mut call = account.call(referrer, port).await?;
    match tokio::time::timeout(ring_for, established(&mut call)).await {
        Ok(true) => {}
        // Dropping the call cancels it.
        Ok(false) | Err(_) => return Ok(()),
    }
    connected();
    let _mix = Conference::new([parked, &call.handle()]).await?;
    hung_up(&mut call).await;
    Ok(())
}

async fn hung_up(call: &mut Call) {
    while let Some(event) = call.next_event().await {
        if matches!(event, CallEvent::Ended(_)) {
            return;
        }
    }
}
