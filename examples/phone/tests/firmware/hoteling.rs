//! A guest uses a telephone under the account of its own: its keys and states, and at a PBX that lends it.

use super::desk::Desk;
use super::features::{close, office_of};
use super::policy::desk as phone;
use core::time::Duration;
use sidetone_hal::keypad::Key;
use sidetone_pbx::Pbx;
use sidetone_phone::firmware::{Command, Signal};
use sidetone_phone::models::ES620;
use sidetone_sip_ua::package::feature_sync::{HotelingEvent, SetHoteling, hoteling_response};

const HOTELING: &str = "account.1.hoteling = yes\nkey.3.type = guest\n";

impl Desk {
    fn guest_is(&mut self, guest: Option<&str>, nonce: Option<&str>) {
        let mut event = HotelingEvent::default();
        (event.guest, event.nonce) = (guest.map(Into::into), nonce.map(Into::into));
        self.signal(Signal::Guest { account: 0, event: Some(Box::new(event)) });
    }

    fn wants(&mut self) -> SetHoteling {
        match self.command() {
            Command::AskGuest { account: 0, request } => *request,
            other => panic!("{other:?}"),
        }
    }

    fn tells(&self, line: &str) -> bool {
        self.text().iter().any(|shown| shown == line)
    }

    fn sign_in(&mut self) {
        self.press(Key::Line(3));
        assert_eq!(self.text()[1], "Guest");
        self.type_in("103");
        self.press(Key::Send);
        assert_eq!(self.text()[1], "Password");
        self.type_in("1234");
        assert!(self.tells("****") && !self.tells("1234"));
        self.press(Key::Send);
        assert_eq!(self.wants(), SetHoteling::new(Some("103@example.org")));
    }
}

#[test]
fn a_guest_signs_in_with_his_password_and_out_again() {
    let mut desk = phone(&ES620, HOTELING);
    assert_eq!(desk.phone.hoteling(0), Some(Duration::from_secs(3600)));
    desk.guest_is(None, None);
    desk.sign_in();
    desk.guest_is(None, Some("n1"));
    let proof = hoteling_response("n1", "1234");
    assert_eq!(desk.wants(), SetHoteling::new(Some("103@example.org")).with_response("n1", &proof));
    assert!(!desk.tells("Guest: 103"), "the server has not said so");
    desk.guest_is(Some("103@example.org"), None);
    assert!(desk.tells("Guest: 103") && desk.tells("103 is here"), "{:?}", desk.text());
    desk.press(Key::Line(3));
    assert_eq!(desk.wants(), SetHoteling::new(None));
    desk.guest_is(None, None);
    assert!(!desk.tells("Guest: 103") && desk.tells("103 has left"), "{:?}", desk.text());
}

#[test]
fn a_wrong_password_silence_and_a_server_that_tells_no_more_leave_nobody() {
    let mut desk = phone(&ES620, HOTELING);
    desk.sign_in();
    desk.guest_is(None, Some("n1"));
    desk.commands();
    desk.guest_is(None, None);
    assert!(desk.tells("The guest is not let in"), "{:?}", desk.text());
    desk.guest_is(None, Some("n2"));
    assert_eq!(desk.commands(), [], "nobody asks any more, so nothing is proven");
    desk.pass(Duration::from_secs(10));

    desk.sign_in();
    desk.pass(Duration::from_secs(65));
    assert!(desk.tells("The guest is not let in"), "{:?}", desk.text());
    desk.guest_is(None, Some("n3"));
    assert_eq!(desk.commands(), []);

    desk.guest_is(Some("103@example.org"), None);
    desk.signal(Signal::Guest { account: 0, event: None });
    assert!(!desk.tells("Guest: 103"), "{:?}", desk.text());
    let mut without = phone(&ES620, "key.3.type = guest\n");
    without.press(Key::Line(3));
    assert_ne!(without.text()[1], "Guest");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pbx_lends_a_telephone_to_a_guest_who_is_called_and_calls_there() {
    let settings = "phone.model = es620\naccount.1.hoteling = yes\naccount.1.caller_id = pai-from\n";
    let (pbx, mut people) = office_of(Pbx::builder().user("105", "4711"), 2, settings).await;
    people[1].dial("105").await;
    people[1].press(Key::Send).await;
    people[1].sees("Call failed").await;
    people[1].press(Key::Cancel).await;
    for (password, told) in [("4712", "The guest is not let in"), ("4711", "Guest: 105")] {
        people[0].soft("Guest in").await;
        people[0].sees("Guest").await;
        people[0].dial("105").await;
        people[0].press(Key::Send).await;
        people[0].sees("Password").await;
        people[0].dial(password).await;
        people[0].press(Key::Send).await;
        people[0].sees(told).await;
    }
    // Calls to the guest ring at the desk.
    people[1].dial("105").await;
    people[1].press(Key::Send).await;
    people[0].sees("Incoming call").await;
    people[0].press(Key::Send).await;
    people[1].sees("Talking").await;
    people[1].press(Key::Cancel).await;
    people[0].sees_the_end().await;
    people[0].press(Key::Cancel).await;
    // Calls to whom the desk belongs do not.
    people[1].sees_no("Talking").await;
    people[1].dial("101").await;
    people[1].press(Key::Send).await;
    people[1].sees("Call failed").await;
    people[1].press(Key::Cancel).await;
    // Who calls from there is the guest.
    people[0].dial("102").await;
    people[0].press(Key::Send).await;
    people[1].sees("Incoming call").await;
    people[1].sees("105").await;
    people[0].press(Key::Cancel).await;
    people[0].sees("Guest: 105").await;
    people[0].soft("Guest out").await;
    people[0]
        .shows("that the guest has left", |picture| !picture.text.iter().any(|line| line == "Guest: 105"))
        .await;
    people[1].sees_no("Incoming call").await;
    people[1].dial("101").await;
    people[1].press(Key::Send).await;
    people[0].sees("Incoming call").await;
    people[1].press(Key::Cancel).await;
    close(pbx, people).await;
}
