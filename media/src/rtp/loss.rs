//! Which packets were there when they were needed, in the order of their numbers.

use crate::quality::BurstMeter;

/// Places behind the newest after which a packet that did not come is lost: 0.6 s at 20 ms.
const PATIENCE: u64 = 32;

/// Judges each sequence number once: a packet came and was used, or it was lost, or it was discarded.
#[derive(Clone, Debug)]
pub(super) struct LossWindow {
    /// The newest number; none before the first.
    highest: Option<u64>,
    /// Numbers from here on are not judged yet.
    unjudged: u64,
    /// Bit i: `highest - i` came.
    came: u64,
    /// Bit i: `highest - i` came and could not be used.
    discarded: u64,
    meter: BurstMeter,
}

impl LossWindow {
    pub(super) fn new() -> Self {
        Self { highest: None, unjudged: 0, came: 0, discarded: 0, meter: BurstMeter::new() }
    }

    /// A packet came, or was recovered.
    pub(super) fn receive(&mut self, sequence: u64) {
        let Some(highest) = self.highest else {
            (self.highest, self.unjudged, self.came, self.discarded) = (Some(sequence), sequence, 1, 0);
            return;
        };
        if sequence <= highest {
            self.came |= bit(highest - sequence);
            return;
        }
        // The numbers that leave the window are judged; `receive` is not called with leaps of more than 3000.
        while self.unjudged + PATIENCE <= sequence {
            self.judge(highest);
        }
        let step = u32::try_from(sequence - highest).unwrap_or(u32::MAX);
        self.came = self.came.checked_shl(step).unwrap_or(0) | 1;
        self.discarded = self.discarded.checked_shl(step).unwrap_or(0);
        self.highest = Some(sequence);
    }

    /// A packet that came was of no use: the newest that is not known to be so.
    pub(super) fn discard_newest(&mut self) {
        let used = self.came & !self.discarded;
        self.discarded |= used & used.wrapping_neg();
    }

    /// The numbers begin anew: what is not judged yet, is.
    pub(super) fn restart(&mut self) {
        if let Some(highest) = self.highest.take() {
            while self.unjudged <= highest {
                self.judge(highest);
            }
        }
    }

    /// What was judged, and of the last numbers what is known of them.
    pub(super) fn meter(&self) -> BurstMeter {
        let mut known = self.clone();
        known.restart();
        known.meter
    }

    fn judge(&mut self, highest: u64) {
        // A number above the newest did not come.
        let bit = highest.checked_sub(self.unjudged).map_or(0, bit);
        match (self.came & bit != 0, self.discarded & bit != 0) {
            (true, false) => self.meter.received(),
            (true, true) => self.meter.discarded(),
            (false, _) => self.meter.lost(),
        }
        self.unjudged += 1;
    }
}

fn bit(back: u64) -> u64 {
    u32::try_from(back).ok().and_then(|back| 1_u64.checked_shl(back)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_judged_once_whatever_the_order() {
        let mut window = LossWindow::new();
        for sequence in [100, 102, 101, 103, 105, 105, 110] {
            window.receive(sequence);
        }
        window.discard_newest();
        let meter = window.meter();
        assert_eq!((meter.packets(), meter.lost_packets(), meter.discarded_packets()), (11, 5, 1));
        // Late, but not too late.
        window.receive(104);
        for sequence in 111..1000 {
            window.receive(sequence);
        }
        // Too late to be judged anew.
        window.receive(106);
        let meter = window.meter();
        assert_eq!((meter.packets(), meter.lost_packets(), meter.discarded_packets()), (900, 4, 1));
        window.receive(2000);
        window.restart();
        window.receive(5);
        let meter = window.meter();
        assert_eq!((meter.packets(), meter.lost_packets()), (1902, 1004));
    }
}
