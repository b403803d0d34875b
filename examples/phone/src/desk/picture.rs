//! What a panel shows of a phone, as a value that is replaced as a whole.

use crate::firmware::Screen;
use serde::Serialize;
use sidetone_hal::display::{Framebuffer, Rectangle, Rgb565, Size};
use sidetone_hal::keypad::Key;
use sidetone_hal::lamp::{Lamp, LampColor, LampState};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A phone as it looks at one moment. Cloning copies no pixels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    size: Size,
    pixels: Arc<[Rgb565]>,
    /// The screen in lines of text.
    pub text: Arc<[String]>,
    /// Whether the handset is lifted.
    pub lifted: bool,
    /// Whether the ringer sounds.
    pub ringing: bool,
    /// What the screen calls the line keys and soft keys, by the name of the key.
    pub labels: Arc<BTreeMap<String, String>>,
    /// The lamps by name.
    pub lamps: Arc<BTreeMap<String, LampView>>,
}

/// A lamp as a page draws it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LampView {
    /// Its colour while lit; `None` for a dark lamp.
    pub color: Option<&'static str>,
    /// The time of one blink in milliseconds; `None` for a steady lamp.
    pub period: Option<u64>,
}

impl Picture {
    /// Takes over what the phone looks like now. Returns whether anything is new.
    pub(super) fn update(
        &mut self,
        frame: Option<&Framebuffer>,
        screen: &Screen,
        lifted: bool,
        ringing: bool,
        lamps: impl Iterator<Item = (Lamp, LampState)>,
    ) -> bool {
        let before = self.clone();
        if let Some(frame) = frame {
            self.size = frame.size();
            self.pixels = frame.pixels().into();
        }
        self.text = screen.text().into();
        self.labels = Arc::new(labels(screen));
        self.lifted = lifted;
        self.ringing = ringing;
        self.lamps = Arc::new(lamps.map(|(lamp, state)| (name(lamp), LampView::from(state))).collect());
        *self != before
    }

    /// The message for a page that shows `shown`: the rectangle that differs (x, y, width, height as 16-bit
    /// little-endian) and its pixels in RGB565, little-endian. `None` when nothing differs.
    #[must_use]
    pub fn damage(&self, shown: Option<&Self>) -> Option<Vec<u8>> {
        let area = match shown {
            Some(shown) if shown.size == self.size => self.difference(shown)?,
            _ => Rectangle::new(0, 0, self.size.width, self.size.height),
        };
        let mut message = Vec::with_capacity(8 + 2 * usize::from(area.width) * usize::from(area.height));
        for value in [area.x, area.y, area.width, area.height] {
            message.extend_from_slice(&value.to_le_bytes());
        }
        let (start, width) = (usize::from(area.x), usize::from(area.width));
        for row in self.rows().skip(area.y.into()).take(area.height.into()) {
            for pixel in row.get(start..start + width).unwrap_or_default() {
                message.extend_from_slice(&pixel.0.to_le_bytes());
            }
        }
        Some(message)
    }

    /// Whether all but the pixels is the same.
    #[must_use]
    pub fn same_state(&self, other: &Self) -> bool {
        self.text == other.text
            && (self.lifted, self.ringing) == (other.lifted, other.ringing)
            && self.lamps == other.lamps
            && self.labels == other.labels
    }

    fn rows(&self) -> impl Iterator<Item = &[Rgb565]> {
        self.pixels.chunks(usize::from(self.size.width).max(1))
    }

    /// The smallest rectangle that holds every pixel in which two pictures differ.
    fn difference(&self, other: &Self) -> Option<Rectangle> {
        let mut area = Rectangle::default();
        for (y, (ours, theirs)) in (0..).zip(self.rows().zip(other.rows())) {
            let differs = |(ours, theirs): (&Rgb565, &Rgb565)| ours != theirs;
            let Some(first) = ours.iter().zip(theirs).position(differs) else { continue };
            let last = ours.iter().zip(theirs).rposition(differs).unwrap_or(first);
            let at = |place: usize| u16::try_from(place).unwrap_or(u16::MAX);
            area = area.union(Rectangle::new(at(first), y, at(last - first + 1), 1));
        }
        (!area.is_empty()).then_some(area)
    }
}

/// The labels of the keys that have one.
fn labels(screen: &Screen) -> BTreeMap<String, String> {
    let lines = (1..).zip(&screen.lines).map(|(line, label)| (Key::Line(line), label.text.clone()));
    let soft = (1..).zip(&screen.soft);
    let soft = soft.filter_map(|(place, key)| Some((Key::Soft(place), key.as_ref()?.0.clone().into_owned())));
    let named = lines.chain(soft).filter(|(_, label)| !label.is_empty());
    named.map(|(key, label)| (key.to_string(), label)).collect()
}

/// The name of a lamp on the page: that of its key, `power` or `status`.
pub(crate) fn name(lamp: Lamp) -> String {
    match lamp {
        Lamp::Key(key) => key.to_string(),
        Lamp::Power => "power".to_owned(),
        _ => "status".to_owned(),
    }
}

impl From<LampState> for LampView {
    fn from(state: LampState) -> Self {
        let color = |color| match color {
            LampColor::Red => "red",
            LampColor::Amber => "amber",
            LampColor::YellowGreen => "yellow-green",
            LampColor::Green => "green",
            LampColor::Blue => "blue",
            _ => "white",
        };
        match state {
            LampState::Off => Self { color: None, period: None },
            LampState::On(lit) => Self { color: Some(color(lit)), period: None },
            LampState::Blink { color: lit, on, off } => Self {
                color: Some(color(lit)),
                period: Some(u64::try_from((on + off).as_millis()).unwrap_or(u64::MAX)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_hal::display::Point;

    fn picture(frame: &Framebuffer) -> Picture {
        let mut picture = Picture::default();
        assert!(picture.update(Some(frame), &Screen::default(), false, false, core::iter::empty()));
        picture
    }

    #[test]
    fn only_the_rectangle_that_differs_is_sent() {
        let mut frame = Framebuffer::new(Size { width: 10, height: 6 });
        let first = picture(&frame);
        assert_eq!(first.damage(None).map(|message| message.len()), Some(8 + 2 * 60));
        assert_eq!(first.damage(Some(&first)), None);
        frame.set(Point { x: 3, y: 2 }, Rgb565(0x1234));
        frame.set(Point { x: 4, y: 3 }, Rgb565(0x5678));
        let second = picture(&frame);
        assert_eq!(
            second.damage(Some(&first)),
            Some(vec![3, 0, 2, 0, 2, 0, 2, 0, 0x34, 0x12, 0, 0, 0, 0, 0x78, 0x56])
        );
    }

    #[test]
    fn lamps_are_told_in_words() {
        assert_eq!(
            LampView::from(LampState::fast(LampColor::Red)),
            LampView { color: Some("red"), period: Some(500) }
        );
        assert_eq!(LampView::from(LampState::Off), LampView { color: None, period: None });
        assert_eq!(name(Lamp::Key(Key::Line(3))), "line3");
    }
}
