//! Writing a REGISTER (RFC 3261 §10.2).

use super::BindingId;
use crate::account::{Account, Slot};
use crate::config::{ExpiresIn, MacPlace};
use crate::context::Context;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_sip_core::header::{Contact, Expires, From, HeaderName, Supported, To, UserAgent};
use sidetone_sip_core::{Headers, Method, NameAddr, Request};

/// A REGISTER for one place of an account, but for what numbers it, and for Contact, which says another address for each
/// way. `expires` 0 takes the binding back.
pub(super) fn register(account: &Account, slot: &Slot, tag: &str, expires: u32) -> Request {
    let config = &account.config;
    // Where a server wants its own host as the domain, the way writes that.
    let mut request = Request::new(Method::REGISTER, account.domain());
    let address = account.address();
    request.headers.push(&From(address.clone().with_tag(tag)));
    request.headers.push(&To(NameAddr { display_name: None, ..address }));
    if expires == 0 || config.registration.expires_in != ExpiresIn::Contact {
        request.headers.push(&Expires(expires));
    }
    let mut tags: Vec<&str> = Vec::new();
    tags.extend(config.registration.path.then_some("path"));
    if let Some(outbound) = &config.outbound {
        tags.extend((slot.reg_id.is_some() && !slot.lacks_outbound).then_some("outbound"));
        tags.extend(outbound.gruu.then_some("gruu"));
    }
    if !tags.is_empty() {
        request.headers.push(&tags.into_iter().collect::<Supported>());
    }
    if let Some(mac) = &config.registration.mac
        && let MacPlace::Header(name) = &mac.place
        && let Ok(name) = name.parse::<HeaderName>()
    {
        // Hexadecimal digits and colons are no line ends.
        let _ = request.headers.push_raw(name, mac.text(":"));
    }
    request
}

impl Context {
    /// Names the product in a REGISTER, and the device where the settings want that here.
    pub(crate) fn sign_register(&self, binding: BindingId, headers: &mut Headers) {
        self.sign(headers);
        let account = self.accounts.get(&binding.account);
        if let Some(mac) = account.and_then(|account| account.config.registration.mac.as_ref())
            && mac.place == MacPlace::UserAgent
        {
            let product = format!("{} {}", self.config.user_agent, mac.text(""));
            headers.set(&UserAgent::from(product.as_str()));
        }
    }

    /// The Contact of a REGISTER on the way to `toward`: our address, which device and flow that is (RFC 5626 §4.2), and
    /// the lifetime where that is asked for here.
    pub(crate) fn binding_contact(
        &self,
        binding: BindingId,
        protocol: Protocol,
        toward: SocketAddr,
        sips: bool,
        request: &Request,
    ) -> Option<Contact> {
        let uri = self.own_contact(Some(binding.account), "", protocol, toward, sips)?;
        let account = self.accounts.get(&binding.account)?;
        let slot = account.slots.get(binding.slot())?;
        let mut contact = NameAddr::new(uri);
        if let Some(outbound) = &account.config.outbound {
            contact.params.set("+sip.instance", &format!("<{}>", outbound.instance));
            if let Some(number) = slot.reg_id.filter(|_| !slot.lacks_outbound) {
                contact.params.set("reg-id", &number.to_string());
            }
        }
        let takes_back = matches!(request.headers.get::<Expires>(), Some(Ok(Expires(0))));
        if account.config.registration.expires_in != ExpiresIn::Header && !takes_back {
            contact.params.set("expires", &slot.expires.to_string());
        }
        Some(Contact::Addr(contact))
    }
}
