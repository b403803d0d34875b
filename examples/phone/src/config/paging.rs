//! Which multicast pages the phone plays.

use core::net::Ipv4Addr;
use sidetone_media::page::{Barge, LOWEST_PRIORITY, ListenAddress, PageAddress, PageRules};
use sidetone_provisioning::PagingSettings;

/// The pages that are listened to.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Pages {
    /// Where, the most important first. Nothing by default.
    pub listen: Vec<ListenAddress>,
    /// Which page plays.
    pub rules: PageRules,
    /// The interface, by its address; without one the system's routes choose.
    pub interface: Option<Ipv4Addr>,
}

impl Pages {
    pub(super) fn apply_file(&mut self, settings: &PagingSettings) -> Result<(), String> {
        self.listen = listen_of(&settings.listen).map_err(|error| format!("paging.listen: {error}"))?;
        // The schema knows no other numbers.
        self.rules.barge = Barge::from_setting(settings.barge).unwrap_or(self.rules.barge);
        self.rules.priority_active = settings.priority_active;
        self.interface = settings.interface;
        Ok(())
    }

    /// What the screen calls the page of this priority.
    #[must_use]
    pub fn title(&self, priority: u8) -> String {
        let row = usize::from(priority).checked_sub(1).and_then(|index| self.listen.get(index));
        match row.map(|row| row.label.as_str()) {
            Some(label) if !label.is_empty() => format!("Page: {label}"),
            _ => format!("Page {priority}"),
        }
    }
}

/// `ADDRESS:PORT LABEL`, between commas; nothing between two of them leaves a priority out.
fn listen_of(text: &str) -> Result<Vec<ListenAddress>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<_> = text
        .split(',')
        .map(|row| {
            let row = row.trim();
            let (address, label) = row.split_once(' ').unwrap_or((row, ""));
            let address = Some(address).filter(|address| !address.is_empty());
            let address = address.map(|address| {
                address.parse::<PageAddress>().map_err(|error| format!("{address:?}: {error}"))
            });
            Ok(ListenAddress { address: address.transpose()?, label: label.trim().to_owned() })
        })
        .collect::<Result<_, String>>()?;
    let most = usize::from(LOWEST_PRIORITY);
    if rows.len() > most {
        return Err(format!("there are {}: expected at most {most}", rows.len()));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_labels_and_gaps() {
        let pages = |text: &str| listen_of(text).map(|listen| Pages { listen, ..Pages::default() });
        let some = pages("224.5.6.20:10008 Front desk,, 239.0.0.1:5000").expect("good");
        assert_eq!(some.listen.len(), 3);
        assert_eq!(some.listen[1].address, None);
        assert_eq!([some.title(1), some.title(3), some.title(9)], ["Page: Front desk", "Page 3", "Page 9"]);
        assert_eq!(pages("").expect("none").listen, []);
        assert!(pages("10.0.0.1:5000").expect_err("not multicast").starts_with("\"10.0.0.1:5000\": "));
        assert!(pages(&"224.5.6.20:10008,".repeat(31)).expect_err("too many").contains("at most 31"));
    }
}
