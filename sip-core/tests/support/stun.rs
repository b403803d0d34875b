//! STUN's words in hexadecimal digits, and a client that asks a server: for the tests of messages and of Bindings.

use crate::support::address;
use sidetone_sip_core::nat::stun::{Client, ClientConfig, Credentials, TransactionId};
use sidetone_sip_core::{FlowId, Instant, Rng, Secret};

pub(crate) const FLOW: FlowId = FlowId(4);
pub(crate) const SERVER: &str = "192.0.2.3:3478";

/// The password of RFC 5769's examples.
pub(crate) const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";
/// Their transaction, with the cookie.
pub(crate) const ID_1: &str = "2112a442 b7e7a701bc34d686fa87dfae";

pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

pub(crate) fn id(text: &str) -> TransactionId {
    TransactionId(hex(text).try_into().unwrap())
}

pub(crate) fn client(config: ClientConfig) -> Client {
    Client::new(config, Rng::from_u64(7))
}

pub(crate) fn asking(config: ClientConfig) -> (Client, Vec<u8>) {
    let mut client = client(config);
    client.start(Instant::ZERO, FLOW, address(SERVER), false);
    let sent = client.poll_transmit().unwrap();
    assert_eq!((sent.flow, sent.destination), (FLOW, address(SERVER)));
    (client, sent.payload.to_vec())
}

pub(crate) fn short_term(username: &str, password: &str) -> ClientConfig {
    let mut config = ClientConfig::default();
    let (username, password) = (username.into(), Secret::new(password));
    config.credentials = Some(Credentials::ShortTerm { username, password });
    config
}

pub(crate) fn long_term(username: &str, password: &str) -> ClientConfig {
    let mut config = ClientConfig::default();
    let (username, password) = (username.into(), Secret::new(password));
    config.credentials = Some(Credentials::LongTerm { username, password });
    config
}
