//! Another person takes a telephone over, by its keys and at the PBX, and over a restart.

use super::desk::{Desk, local};
use super::features::{BOUND, Person};
use super::policy::desk as phone;
use clap::Parser as _;
use core::time::Duration;
use sidetone_hal::keypad::Key;
use sidetone_pbx::{Pbx, PbxEvent, PbxEvents};
use sidetone_phone::cli::Cli;
use sidetone_phone::config::Config;
use sidetone_phone::desk::Desk as Running;
use sidetone_phone::firmware::{Command, Signal};
use sidetone_phone::models::ES620;
use std::path::Path;

const KEY: &str = "key.3.type = hot-desking\n";

impl Desk {
    fn shown(&self) -> String {
        self.phone.screen(self.now).body.title
    }
}

#[test]
fn the_accounts_are_cleared_after_the_question_and_the_form_asks_for_user_and_password() {
    let mut desk = phone(&ES620, KEY);
    let call = desk.talk("102");
    desk.press(Key::Line(3));
    assert_ne!(desk.shown(), "Hot desking", "not in a call");
    desk.press(Key::Cancel);
    desk.signal(Signal::Ended { call, cause: local() });
    desk.commands();
    desk.press(Key::Line(3));
    assert_eq!(desk.shown(), "Hot desking");
    desk.press(Key::Cancel);
    assert_ne!(desk.shown(), "Hot desking");
    assert_eq!(desk.commands(), [], "nothing is cleared");
    desk.press(Key::Line(3));
    desk.press(Key::Soft(1));
    assert_eq!((desk.command(), desk.shown().as_str()), (Command::ClearAccounts, "User"));
    desk.type_in("105");
    desk.press(Key::Send);
    assert_eq!(desk.shown(), "Password");
    desk.type_in("1234");
    assert!(desk.text().contains(&"****".to_owned()) && !desk.text().contains(&"1234".to_owned()));
    desk.press(Key::Send);
    let Command::SignIn { user, password } = desk.command() else { panic!("nobody signs in") };
    assert_eq!((user.as_str(), password.expose(), format!("{password:?}").as_str()), ("105", "1234", "***"));
}

#[test]
fn a_form_that_is_left_leaves_a_telephone_of_nobody() {
    let mut desk = phone(&ES620, KEY);
    desk.press(Key::Line(3));
    desk.press(Key::Soft(1));
    desk.commands();
    desk.press(Key::Cancel);
    desk.type_in("102");
    desk.press(Key::Send);
    assert_eq!(desk.commands(), [], "there is no account to call with");
    assert!(desk.text().contains(&"No account".to_owned()), "{:?}", desk.text());
    desk.pass(Duration::from_secs(6));
    // Somebody else may sign in.
    desk.press(Key::Line(3));
    desk.press(Key::Soft(1));
    assert_eq!(desk.shown(), "User");
}

fn load(path: &Path) -> Config {
    let cli =
        Cli::try_parse_from(["sidetone-phone", "--config", &path.display().to_string()]).expect("valid");
    let mut config = Config::load(&cli).expect("valid");
    config.network.local = "127.0.0.1:0".parse().expect("an address");
    config
}

async fn start(path: &Path) -> Person {
    let config = load(path);
    let agent = config.user_agent("desk", None).await.expect("sockets");
    let (desk, panel) = Running::start(&config, agent, "desk").await.expect("it starts");
    Person { desk, panel }
}

async fn happens(events: &mut PbxEvents, wanted: impl Fn(&PbxEvent) -> bool) {
    let happened = async { while !wanted(&events.next().await.expect("it runs")) {} };
    tokio::time::timeout(BOUND, happened).await.expect("it happens");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_signs_in_at_a_desk_and_is_still_there_after_a_restart() {
    let any = "127.0.0.1:0".parse().expect("an address");
    let pbx = Pbx::builder().udp(any).tcp(any).user("101", "secret").user("105", "1234");
    let pbx = pbx.start().await.expect("it starts");
    let mut events = pbx.events();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("hot-desk-{}.conf", std::process::id()));
    let account = format!("account.1.aor = sip:101@{}\naccount.1.password = secret\n{KEY}", pbx.addr());
    std::fs::write(&path, account).expect("written");
    let is =
        |event: &PbxEvent, wanted: &str| matches!(event, PbxEvent::Registered { user, .. } if user == wanted);

    let mut person = start(&path).await;
    happens(&mut events, |event| is(event, "101")).await;
    person.press(Key::Line(3)).await;
    person.sees("Clear all accounts?").await;
    person.press(Key::Soft(1)).await;
    person.sees("User").await;
    happens(&mut events, |event| matches!(event, PbxEvent::Unregistered { user, .. } if user == "101")).await;
    // Nobody signs in: after a restart nobody is there.
    person.desk.shutdown().await;
    assert_eq!(load(&path).accounts.len(), 0);

    let mut person = start(&path).await;
    person.press(Key::Line(3)).await;
    person.sees("Clear all accounts?").await;
    person.press(Key::Soft(1)).await;
    person.sees("User").await;
    person.dial("105").await;
    person.press(Key::Send).await;
    person.sees("Password").await;
    person.dial("1234").await;
    person.press(Key::Send).await;
    let wanted = tokio::time::timeout(BOUND, person.desk.reload()).await;
    assert_eq!(wanted, Ok(false), "it begins anew, without a restart");
    person.desk.shutdown().await;
    for _ in 0..2 {
        let person = start(&path).await;
        happens(&mut events, |event| is(event, "105")).await;
        assert_eq!(person.desk.accounts().len(), 1);
        person.desk.shutdown().await;
    }
    std::fs::remove_file(&path).expect("removed");
    std::fs::remove_file(format!("{}.guest", path.display())).expect("removed");
    pbx.shutdown().await;
}
