//! What a desk shares with its server: do not disturb and forwards, on the screen and over the wire.

use super::desk::Desk;
use super::features::{BOUND, Person, close, office};
use super::policy::desk as phone;
use core::time::Duration;
use sidetone_hal::keypad::Key;
use sidetone_pbx::{Features, PbxEvent, PbxEvents};
use sidetone_phone::firmware::{Command, Icon, Signal};
use sidetone_phone::models::ES620;
use sidetone_sip_ua::package::feature_sync::{
    Feature, FeatureEvent, FeatureRequest, Forwarding, ForwardingType,
};

const SYNC: &str = "account.1.feature_sync = on\n";

impl Desk {
    /// The server of the first account tells this.
    fn told(&mut self, feature: Feature) {
        let event = Some(Box::new(FeatureEvent::new("alice", feature)));
        self.signal(Signal::Features { account: 0, event });
    }

    pub(crate) fn shows(&self, icon: Icon) -> bool {
        self.phone.screen(self.now).icons.contains(&icon)
    }

    /// What the server is asked for.
    fn asked(&mut self) -> Feature {
        let Command::AskServer { account: 0, request } = self.command() else { panic!("nothing asked") };
        request.feature
    }
}

fn always(on: bool, to: &str) -> Feature {
    Feature::Forwarding(Forwarding::new(ForwardingType::Immediate, on).with_to(to))
}

#[test]
fn the_key_asks_the_server_and_the_light_is_what_it_tells() {
    let mut desk = phone(&ES620, SYNC);
    assert_eq!(desk.phone.feature_sync(0), Some(Duration::from_secs(3600)));
    desk.told(Feature::DoNotDisturb(false));
    desk.press(Key::Soft(1));
    assert_eq!(desk.asked(), Feature::DoNotDisturb(true));
    assert!(!desk.shows(Icon::Dnd), "the server has not said so");
    desk.told(Feature::DoNotDisturb(true));
    assert!(desk.shows(Icon::Dnd) && desk.text().contains(&"Do not disturb is on".to_owned()));
    // The server keeps calls off, or lets this one through: it is not for the phone to refuse it.
    assert!(desk.ring("102").is_some());
    desk.told(Feature::DoNotDisturb(false));
    assert!(!desk.shows(Icon::Dnd));
}

#[test]
fn forwards_of_the_server_are_shown_asked_for_and_not_done_twice() {
    let mut desk = phone(&ES620, SYNC);
    desk.told(always(false, ""));
    desk.press(Key::Soft(2));
    desk.type_in("103");
    desk.press(Key::Send);
    assert_eq!(desk.asked(), always(true, "103"));
    assert!(!desk.shows(Icon::Forward));
    desk.told(always(true, "103"));
    assert!(desk.shows(Icon::Forward) && desk.text().contains(&"Calls go to 103".to_owned()));
    desk.press(Key::Soft(2));
    assert_eq!(desk.asked(), always(false, "103"));
    desk.told(always(false, "103"));
    desk.press(Key::Soft(2));
    assert_eq!(desk.asked(), always(true, "103"), "the target that the server keeps");
}

#[test]
fn without_a_server_that_tells_the_keys_are_the_telephones_own() {
    let mut desk = phone(&ES620, SYNC);
    desk.press(Key::Soft(1));
    assert!(desk.shows(Icon::Dnd) && desk.commands().is_empty(), "it has not told yet");
    desk.told(Feature::DoNotDisturb(false));
    assert!(!desk.shows(Icon::Dnd), "what it tells counts");
    desk.signal(Signal::Features { account: 0, event: None });
    assert!(desk.shows(Icon::Dnd), "it tells no more");
    let mut off = phone(&ES620, "");
    assert_eq!(off.phone.feature_sync(0), None);
    off.told(Feature::DoNotDisturb(true));
    assert!(!off.shows(Icon::Dnd), "nobody asked it");
}

#[test]
fn the_telephones_setting_is_for_accounts_that_do_not_say_otherwise() {
    for (settings, synced) in [
        ("calls.feature_sync = yes\n", true),
        ("calls.feature_sync = yes\naccount.1.feature_sync = off\n", false),
        ("calls.feature_sync = no\naccount.1.feature_sync = on\n", true),
    ] {
        assert_eq!(phone(&ES620, settings).phone.feature_sync(0).is_some(), synced, "{settings}");
    }
}

/// Waits until the PBX has these settings of 101.
async fn set(events: &mut PbxEvents, wanted: impl Fn(&Features) -> bool) {
    let changed = async {
        loop {
            match events.next().await.expect("it runs") {
                PbxEvent::FeaturesChanged { user, features } if user == "101" && wanted(&features) => return,
                _ => {}
            }
        }
    };
    tokio::time::timeout(BOUND, changed).await.expect("the PBX has the settings");
}

impl Person {
    async fn shows_icon(&mut self, icon: &str, lit: bool) {
        self.shows(icon, |picture| picture.text.first().is_some_and(|line| line.contains(icon)) == lit).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn do_not_disturb_is_one_at_the_desk_and_at_the_pbx() {
    let (pbx, mut people) = office(3, "calls.feature_sync = on\n").await;
    let mut events = pbx.events();
    let mut features = Features::default();
    features.do_not_disturb = true;
    assert!(pbx.set_features("101", features).await);
    people[0].shows_icon("[do not disturb]", true).await;
    people[0].press(Key::Soft(1)).await;
    set(&mut events, |features| !features.do_not_disturb).await;
    people[0].shows_icon("[do not disturb]", false).await;
    people[0].press(Key::Soft(1)).await;
    set(&mut events, |features| features.do_not_disturb).await;
    people[0].shows_icon("[do not disturb]", true).await;
    // It is the PBX that keeps calls off.
    people[1].dial("101").await;
    people[1].press(Key::Send).await;
    people[1].sees("Busy").await;
    people[1].press(Key::Cancel).await;
    // By its code, from the desk itself.
    people[0].dial("*79").await;
    people[0].press(Key::Send).await;
    set(&mut events, |features| !features.do_not_disturb).await;
    people[0].shows_icon("[do not disturb]", false).await;
    people[0].press(Key::Cancel).await;
    close(pbx, people).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forwards_are_one_at_the_desk_and_at_the_pbx() {
    let (pbx, mut people) = office(3, "calls.feature_sync = on\n").await;
    let mut events = pbx.events();
    let mut features = Features::default();
    features.forward_always = Some("102".to_owned());
    assert!(pbx.set_features("101", features).await);
    people[0].shows_icon("[forward]", true).await;
    people[0].press(Key::Soft(2)).await;
    set(&mut events, |features| features.forward_always.is_none()).await;
    people[0].shows_icon("[forward]", false).await;
    people[0].press(Key::Soft(2)).await;
    people[0].sees("Forward to").await;
    people[0].dial("103").await;
    people[0].press(Key::Send).await;
    set(&mut events, |features| features.forward_always.as_deref() == Some("103")).await;
    people[0].shows_icon("[forward]", true).await;
    people[1].dial("101").await;
    people[1].press(Key::Send).await;
    people[2].sees("Incoming call").await;
    people[1].press(Key::Cancel).await;
    close(pbx, people).await;
}

#[test]
fn a_request_is_what_the_pbx_reads() {
    let mut desk = phone(&ES620, SYNC);
    desk.told(Feature::DoNotDisturb(false));
    desk.press(Key::Soft(1));
    let Command::AskServer { request, .. } = desk.command() else { panic!("nothing asked") };
    let read = FeatureRequest::parse(request.write().as_bytes()).expect("it reads");
    assert_eq!(read.map(|request| request.feature), Some(Feature::DoNotDisturb(true)));
}
