//! What a server does within a call: records it, takes a hook flash, tells what it costs. On the screen and over the wire.

use super::desk::{Desk, local, remote};
use super::features::{BOUND, close, office_of};
use super::policy::desk as phone;
use super::told::{Hum, Silence, caller, caller_of};
use core::time::Duration;
use sidetone_hal::keypad::Key;
use sidetone_hal::lamp::{Lamp, LampState};
use sidetone_pbx::{MemoryMailboxes, Pbx, PbxEvent, RoomConfig, Service, VoicemailConfig};
use sidetone_phone::firmware::{Command, Icon, Signal};
use sidetone_phone::models::{C60S, UT670};
use sidetone_sip_core::header::{Accept, ContentType};
use sidetone_sip_core::{Method, StatusCode};
use sidetone_sip_ua::feature::hook_flash::FlashKind;
use sidetone_sip_ua::feature::recording;
use sidetone_sip_ua::package::charge::{self, AdviceOfCharge, Amount, Cost, Price, Recorded};
use sidetone_sip_ua::{AgentConfig, CallEvent, Error, OutgoingRequest, UserAgent, UserAgentEvent};

fn euro(millionths: u64) -> Cost {
    Cost::Price(Price::new(Amount(millionths), "EUR"))
}

fn recording_lamp(desk: &Desk) -> LampState {
    desk.lamp(Lamp::Key(Key::Line(2)))
}

#[test]
fn the_record_key_flashes_once_the_server_records() {
    let mut desk = phone(&C60S, "phone.model = c60s\nkey.2.type = record\n");
    desk.press(Key::Line(2));
    assert_eq!(desk.commands(), [], "there is no call");
    let call = desk.talk("102");
    desk.press(Key::Line(2));
    assert_eq!(desk.command(), Command::Record { call, on: true });
    desk.press(Key::Line(2));
    assert_eq!(desk.commands(), [], "the server has not answered");
    assert_eq!((recording_lamp(&desk), desk.shows(Icon::Recording)), (LampState::Off, false));
    desk.signal(Signal::Recorded { call, taken: true });
    assert!(matches!(recording_lamp(&desk), LampState::Blink { .. }) && desk.shows(Icon::Recording));
    desk.press(Key::Line(2));
    assert_eq!(desk.command(), Command::Record { call, on: false });
    desk.signal(Signal::Recorded { call, taken: true });
    assert_eq!((recording_lamp(&desk), desk.shows(Icon::Recording)), (LampState::Off, false));
    desk.press(Key::Line(2));
    desk.commands();
    desk.signal(Signal::Recorded { call, taken: false });
    assert!(desk.text().contains(&"The server does not record".to_owned()), "{:?}", desk.text());
    assert!(!desk.shows(Icon::Recording));
}

#[test]
fn the_cost_of_a_call_is_shown_while_it_lasts_and_after_it() {
    let mut desk = phone(&UT670, "phone.model = ut670\n");
    let call = desk.talk("102");
    let cost = |millionths| {
        let advice = Box::new(AdviceOfCharge::during(Recorded::so_far(euro(millionths))));
        Signal::Charge { call, advice }
    };
    desk.signal(cost(120_000));
    assert!(desk.text().contains(&"Cost 0.12 EUR".to_owned()), "{:?}", desk.text());
    let end = AdviceOfCharge::end(Recorded::total(euro(600_000)));
    desk.signal(Signal::Charge { call, advice: Box::new(end) });
    desk.signal(cost(240_000));
    assert!(desk.text().contains(&"Cost 0.60 EUR".to_owned()), "{:?}", desk.text());
    desk.press(Key::Cancel);
    desk.signal(Signal::Ended { call, cause: local() });
    assert!(desk.text().contains(&"Cost 0.60 EUR".to_owned()), "{:?}", desk.text());
    desk.pass(Duration::from_secs(6));
    desk.commands();
    let call = desk.talk("102");
    desk.signal(Signal::Charge { call, advice: Box::new(AdviceOfCharge::end(Recorded::total(Cost::Free))) });
    desk.signal(Signal::Ended { call, cause: remote(None, "") });
    assert!(desk.text().contains(&"Cost free".to_owned()), "{:?}", desk.text());
}

#[test]
fn the_flash_key_ends_the_call_or_tells_the_server() {
    for (word, kind) in [("signal", FlashKind::Signal), ("flashhook", FlashKind::FlashHook)] {
        let mut desk = phone(&UT670, &format!("phone.model = ut670\ncalls.flash_key = {word}\n"));
        desk.press(Key::Flash);
        let call = desk.call("102");
        desk.press(Key::Flash);
        assert_eq!(desk.commands(), [], "nobody has answered");
        desk.signal(Signal::Established { call });
        desk.press(Key::Flash);
        assert_eq!(desk.command(), Command::Flash { call, kind });
    }
    let mut desk = phone(&UT670, "phone.model = ut670\n");
    let call = desk.talk("102");
    desk.press(Key::Flash);
    assert_eq!(desk.command(), Command::HangUp(call));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_has_a_room_of_the_pbx_recorded_into_its_mailbox() {
    let pbx = Pbx::builder()
        .user("103", "secret")
        .extension("800", Service::Conference(RoomConfig::default()))
        .voicemail("*98", "*97", VoicemailConfig::default(), MemoryMailboxes::new());
    let (pbx, mut people) = office_of(pbx, 1, "calls.record_key = yes\naccount.1.mwi = yes\n").await;
    let mut events = pbx.events();
    let (_agent, account) = caller(&pbx, "103").await;
    let mut other = account.call("800", Hum::default()).await.expect("called");
    while !matches!(other.next_event().await.expect("answered"), CallEvent::Established) {}
    let desk = &mut people[0];
    desk.dial("800").await;
    desk.press(Key::Send).await;
    // Who is in the conference comes after the answer, and brings other keys.
    desk.sees("Conference").await;
    desk.sees("103, 101").await;
    let has = |icon: &'static str, lit: bool| {
        move |picture: &sidetone_phone::desk::Picture| {
            picture.text.first().is_some_and(|line| line.contains(icon)) == lit
        }
    };
    desk.soft("Record").await;
    desk.shows("recording", has("[recording]", true)).await;
    // Something to hear: a second, of which a quarter at most is from before.
    let mut loud = 0;
    while loud < 50 {
        let message = desk.panel.handset.speak().await;
        let samples = message.as_chunks::<2>().0.iter().map(|bytes| i16::from_le_bytes(*bytes));
        loud += usize::from(samples.into_iter().any(|sample| sample.unsigned_abs() > 200));
    }
    desk.soft("Record").await;
    desk.shows("no recording", has("[recording]", false)).await;
    let left = async {
        loop {
            if let PbxEvent::MessageLeft { mailbox, from } = events.next().await.expect("it runs") {
                return (mailbox, from);
            }
        }
    };
    let left = tokio::time::timeout(BOUND, left).await.expect("a message");
    assert_eq!(left, ("101".to_owned(), "800".to_owned()));
    let message = pbx.mailboxes().messages("101").remove(0);
    let sound = pbx.mailboxes().sound("101", message.id).expect("a recording");
    assert!(sound.samples().len() > 16_000 / 4, "{} samples", sound.samples().len());
    assert!(
        sound.samples().iter().any(|sample| sample.unsigned_abs() > 100),
        "who hums in the room is in it"
    );
    desk.press(Key::Cancel).await;
    desk.sees("1 new message").await;
    close(pbx, people).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_shows_what_a_call_costs_and_its_flash_key_reaches_the_server() {
    let settings = "phone.model = ut670\naccount.1.advice_of_charge = yes\ncalls.flash_key = flashhook\ncalls.record_key = yes\n";
    let (pbx, mut people) = office_of(Pbx::builder().user("102", "secret"), 1, settings).await;
    let mut config = AgentConfig::new([7; 32]);
    config.methods.push(Method::INFO);
    let any = "127.0.0.1:0".parse().expect("an address");
    let agent = UserAgent::builder().config(config).bind_udp(any).build().await.expect("sockets");
    let (mut server, _account) = caller_of(agent, &pbx, "102").await;
    let desk = &mut people[0];
    desk.dial("102").await;
    desk.press(Key::Send).await;
    let incoming = loop {
        if let UserAgentEvent::Incoming(incoming) = server.next_event().await.expect("it runs") {
            break incoming;
        }
    };
    let accept: Accept = incoming.headers().require().expect("Accept");
    assert!(accept.0.iter().any(|kind| kind.is(&charge::CONTENT_TYPE)), "{accept:?}");
    let mut call = incoming.answer(Silence).await.expect("answered");
    desk.sees("Talking").await;
    let info = |kind: ContentType, body: String| {
        OutgoingRequest::new(Method::INFO).with_body(kind, body.into_bytes())
    };
    let so_far = AdviceOfCharge::during(Recorded::so_far(euro(120_000)));
    call.request(info(charge::CONTENT_TYPE, so_far.write())).await.expect("taken");
    desk.sees("Cost 0.12 EUR").await;
    // What is no such document is refused, and what it knows nothing of.
    let broken = call.request(info(charge::CONTENT_TYPE, "<aoc".to_owned())).await;
    assert!(matches!(broken, Err(Error::Refused(StatusCode::BAD_REQUEST))), "{broken:?}");
    let other = call.request(info(ContentType::TEXT, "hello".to_owned())).await;
    assert!(matches!(other, Err(Error::Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE))), "{other:?}");
    let record = OutgoingRequest::new(Method::INFO).with_headers(recording::header(true));
    let record = call.request(record).await;
    assert!(matches!(record, Err(Error::Refused(StatusCode::NOT_IMPLEMENTED))), "{record:?}");

    desk.press(Key::Flash).await;
    let flash = received(&mut server).await;
    let kind: ContentType = flash.request().headers.require().expect("a type");
    assert!(FlashKind::is_flash(&kind, &flash.request().body), "{kind}");
    flash.respond(StatusCode::OK).await.expect("answered");

    let end = AdviceOfCharge::end(Recorded::total(euro(600_000)));
    call.request(info(charge::CONTENT_TYPE, end.write())).await.expect("taken");
    call.hangup().await.expect("hung up");
    desk.sees("Cost 0.60 EUR").await;
    while !matches!(call.next_event().await, Some(CallEvent::Ended(_)) | None) {}
    close(pbx, people).await;
}

async fn received(server: &mut UserAgent) -> sidetone_sip_ua::ReceivedRequest {
    loop {
        if let UserAgentEvent::Request(received) = server.next_event().await.expect("it runs") {
            return received;
        }
    }
}
