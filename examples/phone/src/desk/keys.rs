//! What keys need of the user agent: states of extensions and lists, intercom calls, pages.

use super::calls::{self, Called};
use super::{QUEUE, Run, watching};
use crate::config::Keys;
use crate::firmware::{CallRef, KeyFunction, Signal};
use core::time::Duration;
use sidetone_media::page::PageAddress;
use sidetone_sip_ua::feature::auto_answer::IntercomForm;
use sidetone_sip_ua::{Account, CallRequest, Error, IntoUri, MulticastOptions, OutgoingPage};
use tokio::sync::mpsc;

/// Watches what the keys show, until the desk is gone. Keys without an account of their own watch by the first one.
pub(super) fn watch(
    keys: &Keys,
    lasts: impl Fn(usize) -> Option<Duration>,
    accounts: &[Account],
    tell: &mpsc::Sender<Signal>,
) {
    for config in &keys.keys {
        let place = config.account.unwrap_or(0);
        let account = accounts.get(place).cloned();
        if let (Some(account), Some((extension, is_orbit))) = (account, config.function.watches()) {
            let key = config.key;
            let told = move |state| Signal::Extension { key, state };
            let (extension, lasts) = (extension.to_owned(), lasts(place));
            tokio::spawn(watching::extension(account, extension, is_orbit, lasts, told, tell.clone()));
        }
    }
    for (index, account) in accounts.iter().enumerate() {
        let is_wanted = keys.keys.iter().any(|config| {
            matches!(config.function, KeyFunction::BlfList(_)) && config.account.unwrap_or(0) == index
        });
        let list = keys.lists.get(index).cloned().flatten();
        if let Some(list) = list.filter(|_| is_wanted) {
            tokio::spawn(watching::list(account.clone(), index, list, lasts(index), tell.clone()));
        }
    }
}

impl Run {
    /// Calls somebody whose telephone is to answer at once.
    pub(super) fn call_intercom(
        &mut self,
        call: CallRef,
        account: usize,
        number: String,
        form: &IntercomForm,
    ) {
        let Some(known) = self.accounts.get(account) else { return };
        let Ok(to) = number.as_str().into_uri(known.aor()) else {
            // It fails, and says why.
            return self.dial(call, account, Called::Number(number));
        };
        let presented = self.firmware.presented(account);
        let intercom = form.call(&to);
        let mut headers = presented.headers;
        for (name, value) in intercom.headers.iter() {
            // They were headers before, so they fit.
            let _ = headers.push_raw(name, value);
        }
        let mut request = CallRequest::new(intercom.to).with_headers(headers);
        request.from = presented.from;
        self.dial(call, account, Called::Request(Box::new(request)));
    }

    /// Watches somebody until they are free.
    pub(super) fn wait_for(&mut self, account: usize, number: String) {
        self.wait_for_nobody();
        let Some(account) = self.accounts.get(account).cloned() else { return };
        let who = number.clone();
        let told = move |state| Signal::Awaited { number: who.clone(), state };
        let task = watching::extension(account, number, false, None, told, self.tell.clone());
        self.awaited = Some(tokio::spawn(task));
    }

    pub(super) fn wait_for_nobody(&mut self) {
        if let Some(task) = self.awaited.take() {
            // Its subscription ends with it.
            task.abort();
        }
    }

    /// Speaks to all telephones that listen to an address.
    pub(super) fn speak(&mut self, call: CallRef, address: PageAddress) {
        let (orders, ordered) = mpsc::channel(QUEUE);
        self.calls.insert(call, orders);
        let port = self.sound.port(call);
        let mut options = MulticastOptions::default();
        options.interface_v4 = self.pages.interface;
        // PCMU, which every listener knows.
        let page = match self.page_codec.or_else(|| sidetone_codecs::find_static(0)) {
            Some(codec) => OutgoingPage::start(address, codec, options, port),
            None => Err(Error::Closed),
        };
        tokio::spawn(calls::page(page, call, ordered, self.reports.clone()));
    }
}
