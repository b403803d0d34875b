//! The order among SRV and NAPTR records.

use super::options::SrvOrder;
use super::record::{Naptr, Srv};
use alloc::vec::Vec;
use sidetone_hal::rng::Rng;

/// Puts SRV records into the order in which they are tried: by priority, and among equals as `order` says.
/// O(n²) at worst for n records of one priority.
///
/// ```
/// use sidetone_sip_core::{Rng, locate::{Srv, SrvOrder, order_srv}};
/// let srv = |priority, weight| Srv { priority, weight, port: 5060, target: "a.example".into() };
/// let mut records = vec![srv(10, 5), srv(0, 1), srv(0, 2)];
/// order_srv(&mut records, SrvOrder::HighestWeightFirst, &mut Rng::from_u64(1));
/// assert_eq!(records, [srv(0, 2), srv(0, 1), srv(10, 5)]);
/// ```
pub fn order_srv(records: &mut Vec<Srv>, order: SrvOrder, rng: &mut Rng) {
    match order {
        SrvOrder::HighestWeightFirst => {
            records.sort_by_key(|srv| (srv.priority, core::cmp::Reverse(srv.weight)));
        }
        SrvOrder::Weighted => {
            // Those with weight 0 to the front of their priority, so that they have a chance at all (RFC 2782).
            records.sort_by_key(|srv| (srv.priority, srv.weight != 0));
            let mut left = core::mem::take(records);
            while let Some(first) = left.first() {
                let priority = first.priority;
                let equals = left.iter().take_while(|srv| srv.priority == priority);
                let sum: u32 = equals.clone().map(|srv| u32::from(srv.weight)).sum();
                let drawn = rng.below(sum.saturating_add(1));
                let mut running = 0;
                let chosen = equals.map(|srv| {
                    running += u32::from(srv.weight);
                    running
                });
                let chosen = chosen.take_while(|running| *running < drawn).count();
                records.push(left.remove(chosen));
            }
        }
    }
}

/// NAPTR records by order, then preference, as they came among equals (RFC 3403 §4.1).
pub(super) fn order_naptr(records: &mut [Naptr]) {
    records.sort_by_key(|naptr| (naptr.order, naptr.preference));
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn srv(priority: u16, weight: u16, port: u16) -> Srv {
        Srv { priority, weight, port, target: "a.example".into() }
    }

    fn ports(records: &[Srv]) -> Vec<u16> {
        records.iter().map(|srv| srv.port).collect()
    }

    #[test]
    fn priorities_come_before_weights() {
        for seed in 0..200 {
            let mut records = vec![srv(2, 9, 4), srv(1, 65535, 2), srv(0, 0, 1), srv(1, 65535, 3)];
            order_srv(&mut records, SrvOrder::Weighted, &mut Rng::from_u64(seed));
            let ports = ports(&records);
            assert_eq!((ports[0], ports[3]), (1, 4), "seed {seed}");
        }
    }

    #[test]
    fn nothing_is_lost_and_nothing_is_doubled() {
        for seed in 0..1000 {
            let mut rng = Rng::from_u64(seed);
            let count = rng.below(20) as u16;
            let mut records: Vec<Srv> =
                (0..count).map(|port| srv(rng.below(3) as u16, rng.below(4) as u16, port)).collect();
            order_srv(&mut records, SrvOrder::Weighted, &mut rng);
            assert!(records.is_sorted_by_key(|srv| srv.priority), "seed {seed}");
            let mut ports = ports(&records);
            ports.sort_unstable();
            assert!(ports.into_iter().eq(0..count), "seed {seed}");
        }
    }

    /// Weights 60, 20, 10, 10 and 0: over 10 000 seeds each comes first as often as the RFC's draw says. It draws from
    /// 0..=100, 101 numbers: 0 falls to the record without weight, which is in front, the others as their weight.
    #[test]
    fn the_draw_follows_the_weights() {
        const SEEDS: u64 = 10_000;
        let weights = [0, 60, 20, 10, 10];
        let mut first = [0_u32; 5];
        let mut second_after_60 = [0_u32; 5];
        for seed in 0..SEEDS {
            let mut records: Vec<Srv> =
                weights.iter().zip(0..).map(|(&weight, port)| srv(0, weight, port)).collect();
            order_srv(&mut records, SrvOrder::Weighted, &mut Rng::from_u64(seed));
            first[usize::from(records[0].port)] += 1;
            if records[0].port == 1 {
                second_after_60[usize::from(records[1].port)] += 1;
            }
        }
        let chi_square = |seen: &[u32], of: &[f64]| -> f64 {
            let total = f64::from(seen.iter().sum::<u32>());
            let whole: f64 = of.iter().sum();
            seen.iter()
                .zip(of)
                .filter(|(_, of)| **of > 0.0)
                .map(|(&seen, of)| {
                    let expected = total * of / whole;
                    (f64::from(seen) - expected).powi(2) / expected
                })
                .sum()
        };
        // 99.9 % of fair draws stay below: 4 and 3 degrees of freedom.
        let value = chi_square(&first, &[1.0, 60.0, 20.0, 10.0, 10.0]);
        assert!(value < 18.47, "chi-square {value:.2} of {first:?}");
        let value = chi_square(&second_after_60, &[1.0, 0.0, 20.0, 10.0, 10.0]);
        assert!(value < 16.27, "chi-square {value:.2} of {second_after_60:?}");
        // A draw that ignored the weights would not pass.
        let even = chi_square(&[2000; 5], &[1.0, 60.0, 20.0, 10.0, 10.0]);
        assert!(even > 1000.0, "{even}");
    }

    #[test]
    fn yealink_takes_the_highest_weight_whatever_the_seed() {
        for seed in 0..100 {
            let mut records = vec![srv(0, 1, 1), srv(0, 2, 2), srv(0, 2, 3)];
            order_srv(&mut records, SrvOrder::HighestWeightFirst, &mut Rng::from_u64(seed));
            assert_eq!(ports(&records), [2, 3, 1]);
        }
    }

    #[test]
    fn order_comes_before_preference() {
        let naptr = |order, preference| Naptr { order, preference, ..Naptr::default() };
        let mut records = [naptr(100, 1), naptr(90, 50), naptr(90, 20)];
        order_naptr(&mut records);
        assert_eq!(records, [naptr(90, 20), naptr(90, 50), naptr(100, 1)]);
    }
}
