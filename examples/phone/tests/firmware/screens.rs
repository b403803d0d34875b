//! What the telephones draw: every model's screens fit, say what the text model says, and damage only what changed.

use sidetone_hal::Event;
use sidetone_hal::display::{Framebuffer, Point, Rectangle, Rgb565};
use sidetone_hal::event::{TouchEvent, TouchPhase};
use sidetone_hal::keypad::{Key, KeyEvent};
use sidetone_hal::time::{Duration, Instant};
use sidetone_phone::firmware::{
    Command, Firmware, FirmwareConfig, Painter, Peer, Registration, Signal, WallClock,
};
use sidetone_phone::models::{self, Depth, ES620, Model, UT670};

const NOW: Instant = Instant::from_millis(1000);

fn phone(model: &'static Model) -> Firmware {
    let mut phone = Firmware::new(FirmwareConfig::new(model, vec!["alice".to_owned()]));
    phone.set_clock(WallClock::new(NOW, 1_795_250_200));
    phone.handle_signal(NOW, Signal::Registration { account: 0, state: Registration::Registered });
    phone
}

/// A painter with the frame that it paints.
struct Wall {
    painter: Painter,
    frame: Framebuffer,
}

impl Wall {
    fn new(model: &'static Model) -> Self {
        Self { painter: Painter::new(model), frame: Framebuffer::new(model.screen) }
    }

    /// Paints and gives what changed.
    fn paint(&mut self, phone: &Firmware, now: Instant) -> Option<Rectangle> {
        self.painter.paint(&phone.screen(now), &mut self.frame);
        self.frame.take_damage()
    }

    /// Pixels in `area` that are not of the colour in its upper left corner.
    fn ink(&self, area: Rectangle) -> usize {
        let paper = self.frame.get(Point { x: area.x, y: area.y });
        (area.y..area.y + area.height)
            .flat_map(|y| self.frame.row(y, area))
            .filter(|pixel| Some(**pixel) != paper)
            .count()
    }
}

fn press(phone: &mut Firmware, key: Key) {
    phone.handle_event(NOW, Event::Key(KeyEvent::down(key)));
}

#[test]
fn every_model_draws_every_state() {
    for model in models::ALL {
        let (mut phone, mut wall) = (phone(model), Wall::new(model));
        let whole = wall.frame.bounds();
        assert_eq!(wall.paint(&phone, NOW), Some(whole), "{}: the first picture is all new", model.name);
        let idle = wall.ink(whole);
        assert!(idle > 100, "{}: {idle} pixels of ink", model.name);

        press(&mut phone, Key::Digit('1'));
        assert!(wall.paint(&phone, NOW).is_some());
        press(&mut phone, Key::Digit('#'));
        assert!(wall.paint(&phone, NOW).is_some());
        let Some(Command::Call { call, .. }) = phone.poll_command() else { panic!("no call") };
        phone.handle_signal(NOW, Signal::Established { call });
        assert!(wall.paint(&phone, NOW).is_some());
        phone.handle_signal(NOW, Signal::Held(call));
        assert!(wall.paint(&phone, NOW).is_some());
        press(&mut phone, Key::VolumeUp);
        assert!(wall.paint(&phone, NOW).is_some());
    }
}

#[test]
fn a_lock_says_that_the_registration_is_encrypted() {
    for model in models::ALL {
        let (mut phone, mut wall) = (phone(model), Wall::new(model));
        wall.paint(&phone, NOW);
        let locked = |phone: &Firmware| phone.screen(NOW).text()[0].contains("[registered] [secure]");
        assert!(!locked(&phone));
        phone.handle_signal(NOW, Signal::Secure { account: 0, secure: true });
        assert!(locked(&phone), "{:?}", phone.screen(NOW).text());
        assert!(wall.paint(&phone, NOW).is_some(), "{}", model.name);
        // A way that leads nowhere is no news of security.
        phone.handle_signal(NOW, Signal::Registration { account: 0, state: Registration::Registering });
        assert!(!phone.screen(NOW).text()[0].contains("secure"));
    }
}

#[test]
fn two_tone_screens_have_two_tones() {
    for model in models::ALL.into_iter().filter(|model| model.depth == Depth::Mono) {
        let (mut phone, mut wall) = (phone(model), Wall::new(model));
        phone.incoming(0, Peer { name: Some("Žofie 😀".into()), number: "102".into() });
        wall.paint(&phone, NOW);
        let tones = [Rgb565::BLACK, Rgb565::WHITE];
        assert!(wall.frame.pixels().iter().all(|pixel| tones.contains(pixel)), "{}", model.name);
    }
}

#[test]
fn the_same_screen_again_damages_nothing_and_a_second_damages_only_the_timer() {
    let (mut phone, mut wall) = (phone(&ES620), Wall::new(&ES620));
    press(&mut phone, Key::Digit('1'));
    press(&mut phone, Key::Digit('#'));
    let Some(Command::Call { call, .. }) = phone.poll_command() else { panic!("no call") };
    phone.handle_signal(NOW, Signal::Established { call });
    wall.paint(&phone, NOW);
    assert_eq!(wall.paint(&phone, NOW), None);
    let damage = wall.paint(&phone, NOW + Duration::from_secs(1)).expect("the timer shows another second");
    assert!(damage.width < 120 && damage.height < 40, "{damage:?}");
}

#[test]
fn names_of_any_length_and_script_are_drawn_within_their_place() {
    let names =
        ["", " ", "W".repeat(500).as_str(), "ab\r\n\tc", "中文", "e\u{301}\u{200f}👩‍👩‍👧"].map(str::to_owned);
    for model in models::ALL {
        for name in &names {
            let (mut phone, mut wall) = (phone(model), Wall::new(model));
            wall.paint(&phone, NOW);
            phone.incoming(0, Peer { name: Some(name.clone()), number: name.clone() });
            assert!(wall.paint(&phone, NOW).is_some(), "{} {name:?}", model.name);
        }
    }
}

#[test]
fn a_finger_on_a_drawn_key_presses_it() {
    let mut phone = phone(&UT670);
    let call = phone.incoming(0, Peer { name: None, number: "102".into() }).expect("a free line");
    let touch = |x, y, phase| Event::Touch(TouchEvent { at: Point { x, y }, phase });
    phone.handle_event(NOW, touch(400, 200, TouchPhase::Down));
    phone.handle_event(NOW, touch(100, 450, TouchPhase::Up));
    assert_eq!(phone.poll_command(), None);
    phone.handle_event(NOW, touch(100, 450, TouchPhase::Down));
    assert_eq!(phone.poll_command(), Some(Command::Answer(call)));
}
