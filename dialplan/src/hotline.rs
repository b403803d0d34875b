//! A number that is dialled by itself when the handset is lifted: at once (hot line), or after a while (warm line).

use alloc::string::String;
use core::time::Duration;
use sidetone_hal::time::Instant;

/// The hot line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HotlineConfig {
    /// Whether it is on (Dinstar "Active"). Default: yes, but without a number it does nothing.
    pub enabled: bool,
    /// The number; empty for none (Yealink `features.hotline_number`, Dinstar "Number").
    pub number: String,
    /// The wait before it is dialled (Yealink `features.hotline_delay`, 0 to 10 s; Dinstar 0 to 5 s; SayHi's warm line 5 s).
    /// Default 4 s.
    pub delay: Duration,
}

impl Default for HotlineConfig {
    fn default() -> Self {
        Self { enabled: true, number: String::new(), delay: Duration::from_secs(4) }
    }
}

/// Waits, from lifting the handset on.
#[derive(Clone, Debug, Default)]
pub struct Hotline {
    due: Option<Instant>,
}

impl Hotline {
    /// Nothing waits.
    #[must_use]
    pub const fn new() -> Self {
        Self { due: None }
    }

    /// The handset, the loudspeaker or the headset was taken, and no number is there yet.
    pub fn off_hook(&mut self, now: Instant, config: &HotlineConfig) {
        self.due = (config.enabled && !config.number.is_empty()).then(|| now + config.delay);
    }

    /// A digit was dialled, the handset was put back, or a call began: nothing is dialled by itself.
    pub const fn stop(&mut self) {
        self.due = None;
    }

    /// When to ask again.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// The number, when it is to be dialled now.
    pub fn poll<'a>(&mut self, now: Instant, config: &'a HotlineConfig) -> Option<&'a str> {
        self.due.filter(|due| *due <= now)?;
        self.due = None;
        Some(config.number.as_str()).filter(|number| !number.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFTED: Instant = Instant::from_millis(1000);

    #[test]
    fn the_number_is_dialled_after_its_delay_and_once() {
        for (delay, early) in [(4, 4999), (0, 999), (10, 10_999)] {
            let config = HotlineConfig {
                number: "3601".into(),
                delay: Duration::from_secs(delay),
                ..HotlineConfig::default()
            };
            let mut hotline = Hotline::new();
            hotline.off_hook(LIFTED, &config);
            let due = hotline.deadline().unwrap();
            assert_eq!(hotline.poll(Instant::from_millis(early), &config), None);
            assert_eq!(hotline.poll(due, &config), Some("3601"));
            assert_eq!((hotline.poll(due, &config), hotline.deadline()), (None, None));
        }
    }

    #[test]
    fn a_digit_a_missing_number_and_the_switch_stop_it() {
        let config = HotlineConfig { number: "3601".into(), ..HotlineConfig::default() };
        let mut hotline = Hotline::new();
        hotline.off_hook(LIFTED, &config);
        hotline.stop();
        assert_eq!(hotline.poll(Instant::MAX, &config), None);
        for config in [HotlineConfig::default(), HotlineConfig { enabled: false, ..config }] {
            hotline.off_hook(LIFTED, &config);
            assert_eq!(hotline.deadline(), None);
        }
    }
}
