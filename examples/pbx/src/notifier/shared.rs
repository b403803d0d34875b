//! The packages `call-info` and `line-seize`: what becomes of the calls of a shared line, and who may dial on it.

use super::wake::Wake;
use super::{Place, States, Topic};
use crate::command::{Command, ask};
use crate::shared_lines::{LineState, device};
use core::time::Duration;
use sidetone_sip_core::header::{Event, Expires, From, To};
use sidetone_sip_core::{Headers, Request, StatusCode, Uri};
use sidetone_sip_ua::package::call_info::{Appearance, AppearanceState, EVENT, SEIZE_EVENT, SEIZE_EXPIRES};
use sidetone_sip_ua::{CommandError, Error, IncomingSubscription, SubscribeKind, WatcherEvent, WatcherState};
use std::sync::Arc;

/// A subscriber is told no more often: a lamp that follows a call within a fifth of a second seems to do so at once.
pub(super) const PACE: Duration = Duration::from_millis(200);
/// When a subscriber does not answer, it is told again after this.
pub(super) const AGAIN: Duration = Duration::from_secs(2);

pub(super) fn is_package(request: &Request) -> bool {
    let event = request.headers.get::<Event>().and_then(Result::ok);
    event.is_some_and(|event| matches!(event.package.as_str(), EVENT | SEIZE_EVENT))
}

/// Who asks for which line.
pub(super) struct Asker {
    pub(super) line: Arc<str>,
    /// The line as the telephone writes its address.
    pub(super) address: Uri,
    seizes: bool,
}

impl States {
    /// A shared line is as this tells now.
    pub(crate) fn line_changed(&self, line: LineState) {
        let number = Arc::clone(&line.number);
        let mut inner = self.lock();
        inner.shared.insert(Arc::clone(&number), line);
        inner.ring(&Topic::Shared(Arc::clone(&number)), &number);
    }

    /// Serves one subscription to its end.
    pub(super) async fn serve_line(self: Arc<Self>, incoming: IncomingSubscription) {
        let result = match self.line_asked(incoming.request()) {
            Ok(asker) if asker.seizes => self.seize(incoming, asker).await,
            Ok(asker) => self.tell_line(incoming, asker).await,
            Err(status) => incoming.reject(status).await,
        };
        if let Err(error) = result {
            tracing::debug!(%error, "subscription to a shared line");
        }
    }

    pub(super) fn line_asked(&self, request: &Request) -> Result<Asker, StatusCode> {
        self.check_key(request)?;
        let bad = |_| StatusCode::BAD_REQUEST;
        let event: Event = request.headers.require().map_err(bad)?;
        let to: To = request.headers.require().map_err(bad)?;
        let from: From = request.headers.require().map_err(bad)?;
        let asker = from.uri.user().ok_or(StatusCode::FORBIDDEN)?;
        let number = request.uri.user().ok_or(StatusCode::NOT_FOUND)?;
        let inner = self.lock();
        let line = inner.shared.get(&*number).ok_or(StatusCode::NOT_FOUND)?;
        if !line.members.iter().any(|member| *member == asker) {
            return Err(StatusCode::FORBIDDEN);
        }
        let mut address = to.uri.address_of_record();
        address.set_user(Some(&number));
        let seizes = event.package.as_str() == SEIZE_EVENT;
        Ok(Asker { line: Arc::clone(&line.number), address, seizes })
    }

    async fn tell_line(self: &Arc<Self>, incoming: IncomingSubscription, asker: Asker) -> Result<(), Error> {
        let (_place, wake) = self.line_place(&asker.line);
        let mut watcher = incoming.accept(WatcherState::Active, self.line_told(&asker)).await?;
        let mut pause = Box::pin(tokio::time::sleep(Duration::ZERO));
        loop {
            tokio::select! {
                biased;
                () = async { wake.changed().await; pause.as_mut().await } => drop(wake.take()),
                event = watcher.next_event() => match event {
                    Some(WatcherEvent::Refreshed(..)) => {}
                    Some(WatcherEvent::Ended(_)) | None => return Ok(()),
                    Some(_) => continue,
                },
            }
            // Each tells all, so what does not fit now is made up for by the next one.
            match watcher.notify_with(self.line_told(&asker)).await {
                Ok(()) => pause.set(tokio::time::sleep(PACE)),
                Err(Error::Command(CommandError::QueueFull(_))) => {
                    wake.ring(&asker.line);
                    pause.set(tokio::time::sleep(AGAIN));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives an appearance to who is about to dial, until the INVITE comes, the telephone gives it back, or the time is over.
    async fn seize(self: &Arc<Self>, incoming: IncomingSubscription, asker: Asker) -> Result<(), Error> {
        let request = incoming.request();
        let asked = request.headers.get::<Expires>().and_then(Result::ok);
        let seconds = asked.map_or(SEIZE_EXPIRES, |Expires(seconds)| seconds);
        let index = Appearance::index_of(&request.headers);
        let holder = device(&request.headers);
        let lasts = Duration::from_secs(u64::from(seconds));
        let line = || Arc::clone(&asker.line);
        let (_place, wake) = self.line_place(&asker.line);
        let seized = ask(&self.commands, |reply| Command::SeizeLine {
            line: line(),
            index,
            holder: holder.clone(),
            lasts,
            reply,
        });
        let Some(Ok(index)) = seized.await else {
            return incoming.reject(StatusCode::TEMPORARILY_UNAVAILABLE).await;
        };
        let told = |state| {
            let mut headers = Headers::new();
            headers.push(&Appearance::new(index, state).write(&asker.address));
            headers
        };
        let accepted = incoming.accept(WatcherState::Active, told(AppearanceState::Seized)).await;
        let result = match accepted {
            Ok(mut watcher) => loop {
                tokio::select! {
                    biased;
                    () = wake.changed() => {
                        drop(wake.take());
                        if !self.is_seized(&asker.line, index, &holder) {
                            // Dialled on, or the time is over.
                            let state = self.lock().shared.get(&asker.line).map(|line| line.table.state(index));
                            break watcher.end("noresource", told(state.unwrap_or_default())).await;
                        }
                    }
                    event = watcher.next_event() => match event {
                        Some(WatcherEvent::Refreshed(SubscribeKind::Final, _)) => {
                            break watcher.notify_with(told(AppearanceState::Idle)).await;
                        }
                        Some(WatcherEvent::Refreshed(..)) => {
                            let again = ask(&self.commands, |reply| Command::SeizeLine {
                                line: line(),
                                index: Some(index),
                                holder: holder.clone(),
                                lasts,
                                reply,
                            });
                            // What is not ours any more is told above.
                            if again.await.is_some_and(|seized| seized.is_ok()) {
                                watcher.notify_with(told(AppearanceState::Seized)).await?;
                            }
                        }
                        Some(WatcherEvent::Ended(_)) | None => break Ok(()),
                        Some(_) => {}
                    },
                }
            },
            Err(error) => Err(error),
        };
        // Without effect on what is dialled on.
        self.commands.send(Command::ReleaseLine { line: line(), index, holder: holder.clone() }).await.ok();
        result
    }

    fn is_seized(&self, line: &Arc<str>, index: u16, holder: &str) -> bool {
        self.lock().shared.get(line).is_some_and(|line| line.table.is_seized_by(index, holder))
    }

    fn line_told(&self, asker: &Asker) -> Headers {
        let told = self.lock().shared.get(&asker.line).map(|line| line.table.told()).unwrap_or_default();
        let mut headers = Headers::new();
        told.iter().for_each(|appearance| headers.push(&appearance.write(&asker.address)));
        headers
    }

    pub(super) fn line_place(self: &Arc<Self>, line: &Arc<str>) -> (Place, Arc<Wake>) {
        let wake = Arc::<Wake>::default();
        (self.place(vec![Topic::Shared(Arc::clone(line))], &wake), wake)
    }
}
