//! Telephones out of the box ask a group, and are told where their settings are.

use super::*;
use core::net::{Ipv4Addr, SocketAddr};
use sidetone_pbx::PlugAndPlay;
use sidetone_sip_ua::feature::plug_and_play;
use sidetone_sip_ua::package::device::{PNP_ADDRESS, ProfileRequest};
use sidetone_sip_ua::{Error, UserAgent};
use std::net::UdpSocket;

fn free_port() -> u16 {
    UdpSocket::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn asking(port: u16) -> plug_and_play::PlugAndPlay {
    let request = ProfileRequest::new("Sidetone", "es620", "1.0");
    plug_and_play::PlugAndPlay::new([0x00, 0x15, 0x65, 0x11, 0x3a, 0x42], request).with_port(port)
}

fn phone() -> sidetone_sip_ua::UserAgentBuilder {
    UserAgent::builder().bind_udp("127.0.0.1:0".parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_telephone_out_of_the_box_finds_its_settings_by_multicast() {
    let port = free_port();
    let config = PlugAndPlay::new("http://192.0.2.1/{model}/{mac}.cfg")
        .with_interface(Ipv4Addr::LOCALHOST)
        .with_group(SocketAddr::new(PNP_ADDRESS.into(), port));
    let site = Site::new(|builder| builder.plug_and_play(config)).await;
    let mut events = site.pbx.events();
    let profile = soon("an answer", phone().find_profile(&asking(port))).await.unwrap();
    assert_eq!(profile.urls, ["http://192.0.2.1/es620/001565113a42.cfg"]);
    let event = soon("an event", events.next()).await.unwrap();
    let PbxEvent::Provisioned { mac, model, .. } = event else { panic!("{event:?}") };
    assert_eq!((mac.as_str(), model.as_str()), ("001565113a42", "es620"));
}

#[tokio::test]
async fn where_nobody_is_nothing_is_told() {
    let asked = asking(free_port()).with_server("127.0.0.1");
    let error = soon("an end", phone().find_profile(&asked)).await.unwrap_err();
    assert!(matches!(error, Error::Profile { .. }), "{error}");
}
