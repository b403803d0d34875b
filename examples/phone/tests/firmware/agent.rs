//! Agents of a call centre: keys, states and times of the telephone, and a queue of the PBX.

use super::desk::{Desk, remote};
use super::features::{Person, close, office_of};
use super::policy::desk as phone;
use core::time::Duration;
use sidetone_hal::keypad::Key;
use sidetone_pbx::{Pbx, RingGroup};
use sidetone_phone::firmware::{Command, Invitation, Signal, Verdict};
use sidetone_phone::models::ES620;
use sidetone_sip_core::{HeaderName, Headers};
use sidetone_sip_ua::package::feature_sync::{Agent, AgentState, Feature, FeatureEvent};

const ACD: &str = "account.1.acd = yes\n";

impl Desk {
    fn agent_is(&mut self, state: AgentState) {
        let event = FeatureEvent::new("alice", Feature::Agent(Agent::new(state)));
        self.signal(Signal::Features { account: 0, event: Some(Box::new(event)) });
    }

    fn press_soft(&mut self, label: &str) {
        for _ in 0..4 {
            let keys = self.phone.screen(self.now).soft;
            let place =
                |label: &str| keys.iter().position(|key| key.as_ref().is_some_and(|key| key.0 == label));
            let found = place(label);
            let key = found.or_else(|| place("More")).unwrap_or_else(|| panic!("no key {label}: {keys:?}"));
            self.press(Key::Soft(u8::try_from(key).expect("small") + 1));
            if found.is_some() {
                return;
            }
        }
        panic!("no key {label}");
    }

    /// What the server is asked for.
    fn asks(&mut self) -> Agent {
        let Command::AskServer { account: 0, request } = self.command() else { panic!("nothing asked") };
        let Feature::Agent(agent) = request.feature else { panic!("{:?}", request.feature) };
        agent
    }
}

#[test]
fn an_agent_signs_in_takes_calls_pauses_with_a_reason_and_signs_out() {
    let mut desk = phone(&ES620, ACD);
    assert_eq!(desk.phone.feature_sync(0), Some(Duration::from_secs(1800)));
    desk.press_soft("Sign in");
    assert_eq!(desk.asks().state, AgentState::LoggedOn);
    assert!(!desk.text().iter().any(|line| line.starts_with("Agent")), "the server has not said so");
    desk.agent_is(AgentState::LoggedOn);
    assert!(desk.text().contains(&"Agent: signed in".to_owned()), "{:?}", desk.text());
    desk.press_soft("Available");
    assert_eq!(desk.asks().state, AgentState::Ready);
    desk.agent_is(AgentState::Ready);
    assert!(desk.text().contains(&"Agent: available".to_owned()));
    desk.press_soft("Unavailable");
    assert_eq!(desk.text()[1], "Reason");
    desk.type_in("12");
    desk.press(Key::Send);
    let asked = desk.asks();
    assert_eq!((asked.state, asked.reason.as_deref()), (AgentState::NotReady, Some("12")));
    desk.agent_is(AgentState::NotReady);
    assert!(desk.text().contains(&"Agent: unavailable".to_owned()));
    desk.press_soft("Available");
    desk.agent_is(AgentState::Ready);
    desk.commands();
    desk.press_soft("Unavailable");
    desk.press(Key::Send);
    let asked = desk.asks();
    assert_eq!((asked.state, asked.reason), (AgentState::NotReady, None));
    desk.press_soft("Sign out");
    assert_eq!(desk.asks().state, AgentState::LoggedOff);
    desk.agent_is(AgentState::LoggedOff);
    assert!(!desk.text().iter().any(|line| line.starts_with("Agent")));
}

/// A call that came in is answered and over.
fn served(desk: &mut Desk) {
    let mut headers = Headers::new();
    headers.push_raw(HeaderName::FROM, "<sip:102@example.org>;tag=1").expect("a value");
    let request_uri = "sip:alice@192.0.2.1".parse().expect("a URI");
    let invitation = Invitation { headers, request_uri, trusted: true };
    let Verdict::Ring(call) = desk.phone.invited(desk.now, 0, invitation) else { panic!("it does not ring") };
    desk.press(Key::Send);
    desk.signal(Signal::Established { call });
    desk.commands();
    desk.signal(Signal::Ended { call, cause: remote(None, "") });
}

#[test]
fn a_call_leaves_work_behind_that_ends_by_itself_when_set() {
    let mut desk = phone(&ES620, &format!("{ACD}acd.auto_available = yes\nacd.auto_available_after = 20\n"));
    desk.agent_is(AgentState::Ready);
    served(&mut desk);
    assert_eq!(desk.asks().state, AgentState::WorkingAfterCall);
    desk.agent_is(AgentState::WorkingAfterCall);
    assert!(desk.phone.feature_sync(0).is_some());
    desk.pass(Duration::from_secs(19));
    assert_eq!(desk.commands(), []);
    desk.pass(Duration::from_secs(1));
    assert_eq!(desk.asks().state, AgentState::Ready);
    desk.agent_is(AgentState::Ready);
    // A call of one's own leaves none.
    let call = desk.talk("103");
    desk.signal(Signal::Ended { call, cause: remote(None, "") });
    assert_eq!(desk.commands(), []);

    let mut off = phone(&ES620, &format!("{ACD}acd.wrap_up = no\n"));
    off.agent_is(AgentState::Ready);
    served(&mut off);
    assert_eq!(off.commands(), []);
}

#[test]
fn one_key_is_enough_for_an_agent_and_its_lamp_is_lit_while_calls_are_taken() {
    use sidetone_hal::lamp::{Lamp, LampState};
    let mut desk = phone(&ES620, &format!("{ACD}phone.model = es620\nkey.3.type = acd\n"));
    let lamp = |desk: &Desk| desk.lamp(Lamp::Key(Key::Line(3)));
    desk.press(Key::Line(3));
    assert_eq!(desk.asks().state, AgentState::LoggedOn);
    desk.agent_is(AgentState::LoggedOn);
    assert_eq!(lamp(&desk), LampState::Off);
    desk.press(Key::Line(3));
    assert_eq!(desk.asks().state, AgentState::Ready);
    desk.agent_is(AgentState::Ready);
    assert_ne!(lamp(&desk), LampState::Off);
    desk.press(Key::Line(3));
    assert_eq!(desk.text()[1], "Reason");
    let mut none = phone(&ES620, "phone.model = es620\nkey.3.type = acd\n");
    none.agent_is(AgentState::Ready);
    none.press(Key::Line(3));
    assert_eq!(none.commands(), [], "nobody is an agent here");
}

impl Person {
    /// Presses the soft key with this label, by way of that for more.
    pub(crate) async fn soft(&mut self, label: &str) {
        for _ in 0..4 {
            let keys = self.panel.pictures.borrow().text.last().cloned().unwrap_or_default();
            let place = |label: &str| keys.split("> <").position(|key| key.trim_matches(['<', '>']) == label);
            let found = place(label);
            let key = found.or_else(|| place("More")).unwrap_or_else(|| panic!("no key {label}: {keys}"));
            self.press(Key::Soft(u8::try_from(key).expect("small") + 1)).await;
            if found.is_some() {
                return;
            }
            self.shows("more keys", |picture| picture.text.last() != Some(&keys)).await;
        }
        panic!("no key {label}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_rings_at_the_desks_of_agents_who_take_calls() {
    let pbx = Pbx::builder().ring_group("300", RingGroup::queue(["101", "102"]));
    let (pbx, mut people) = office_of(pbx, 3, &format!("{ACD}acd.wrap_up = yes\n")).await;
    let call = async |person: &mut Person| {
        person.dial("300").await;
        person.press(Key::Send).await;
    };
    call(&mut people[2]).await;
    people[2].sees("Call failed").await;
    people[2].press(Key::Cancel).await;

    people[0].soft("Sign in").await;
    people[0].sees("Agent: signed in").await;
    call(&mut people[2]).await;
    people[2].sees("Call failed").await;
    people[2].press(Key::Cancel).await;

    people[0].soft("Available").await;
    people[0].sees("Agent: available").await;
    assert!(pbx.features("101").await.takes_queue_calls() && !pbx.features("102").await.takes_queue_calls());
    call(&mut people[2]).await;
    people[0].sees("Incoming call").await;
    people[0].press(Key::Send).await;
    people[2].sees("Talking").await;
    people[2].press(Key::Cancel).await;
    // The work after the call: no further one comes.
    people[0].sees("Agent: wrap-up").await;
    people[2].shows("an idle phone", |picture| !picture.text.iter().any(|line| line == "Talking")).await;
    call(&mut people[2]).await;
    people[2].sees("Call failed").await;
    close(pbx, people).await;
}
