//! The notations of tones: whatever is written is read back, and no text stops the reader.

use proptest::prelude::*;
use sidetone_media::tone::{
    Country, Element, Generator, PanasonicSettings, PanasonicTone, RingCadence, Style, ToneList, Voice,
};

fn element() -> impl Strategy<Value = Element> {
    (proptest::collection::vec(200_u32..=2000, 0..=4), 1_u32..=16_000).prop_map(|(hertz, millis)| {
        let voices: Vec<Voice> = hertz.iter().map(|hertz| Voice::new(*hertz as f32)).collect();
        Element::new(&voices, millis).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(
        elements in proptest::collection::vec(element(), 1..=8), once in any::<bool>(), intro in 0_usize..8,
    ) {
        let list = ToneList::new(&elements).unwrap();
        let list = if once { list.once() } else { list };
        for style in [Style::Yealink, Style::Dinstar, Style::Table] {
            match list.write(style) {
                Ok(text) => prop_assert_eq!(&ToneList::parse(style, &text).unwrap(), &list, "{}", text),
                Err(error) => prop_assert!(once && style == Style::Dinstar, "{}", error),
            }
        }
        // An introduction of two elements or more, and a rest.
        let mark = |(index, element): (usize, &Element)| element.with_once(index < intro);
        let marked: Vec<Element> = elements.iter().enumerate().map(mark).collect();
        let list = ToneList::new(&marked).unwrap();
        match list.write(Style::Yealink) {
            Ok(text) => prop_assert_eq!(&ToneList::parse(Style::Yealink, &text).unwrap(), &list, "{}", text),
            Err(_) => prop_assert!(intro == 1 && elements.len() > 1),
        }
    }

    #[test]
    fn panasonics_settings_are_read_and_written_back(
        which in 0_usize..9, frequencies in proptest::collection::vec(200_u32..=2000, 1..=2), gain in -24_i32..=6,
        timing in proptest::collection::vec(0_u32..=16_000, 2..=10),
    ) {
        let tone = PanasonicTone::ALL[which];
        let join = |numbers: &[u32]| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let settings = PanasonicSettings {
            frequencies: join(&frequencies),
            gain: gain.to_string(),
            timing: join(&timing),
        };
        let list = tone.parse(&settings).unwrap();
        prop_assert_eq!(tone.write(&list).unwrap(), settings);
    }

    #[test]
    fn no_text_stops_the_reader(text in "[0-9!+*/,. -]{0,60}|\\PC{0,20}") {
        for style in [Style::Yealink, Style::Dinstar, Style::Table] {
            if let Ok(list) = ToneList::parse(style, &text) {
                let mut pcm = [0; 400];
                Generator::new(&list, 8000).fill(&mut pcm);
                let _ = list.write(style);
            }
        }
        for tone in PanasonicTone::ALL {
            let text = text.as_str();
            let _ = tone.parse(&PanasonicSettings { frequencies: text, gain: text, timing: text });
            let usual = tone.defaults();
            let _ = tone.parse(&PanasonicSettings { timing: text, ..usual });
        }
        let _ = (Country::find(&text), RingCadence::named(&text), PanasonicTone::from_key(&text));
    }
}
