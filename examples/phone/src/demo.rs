//! The demo: a small PBX and two phones beside it in one process, with one panel.

use crate::config::Config;
use crate::desk::Desk;
use crate::firmware::{KeyConfig, KeyFunction, ParkKey};
use crate::models::Model;
use crate::panel::{Hint, PanelServer};
use crate::trace::Trace;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use sidetone_hal::keypad::Key;
use sidetone_hal::rng::Rng;
use sidetone_pbx::{OrbitConfig, Pbx, PbxHandle, Service};
use sidetone_sip_core::driver;
use sidetone_sip_ua::AccountConfig;
use sidetone_sip_ua::feature::auto_answer::IntercomForm;
use sidetone_sip_ua::package::blf::BlfKey;

/// The phones' numbers and what they are called.
const PHONES: [(&str, &str); 2] = [("101", "Alice"), ("102", "Bob")];
/// Where calls are parked.
const ORBIT: &str = "701";
/// What takes a call that rings at the other phone.
const GROUP_PICKUP: &str = "*9";
/// How long both phones have to register on the loopback interface.
const REGISTER_WITHIN: Duration = Duration::from_secs(10);
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A demo that runs.
#[derive(Debug)]
pub struct Demo {
    panel: PanelServer,
    desks: Vec<Desk>,
    pbx: PbxHandle,
}

/// Why the demo could not start.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The PBX.
    #[error("the demo's PBX: {0}")]
    Pbx(#[from] sidetone_pbx::StartError),
    /// A phone.
    #[error("a phone of the demo: {0}")]
    Phone(#[from] sidetone_sip_ua::Error),
    /// A phone that could not register in time.
    #[error("a phone of the demo could not register within {} s", REGISTER_WITHIN.as_secs())]
    NotRegistered,
    /// The panel.
    #[error("the panel at {address}: {source}")]
    Panel {
        /// Where it was to be served.
        address: SocketAddr,
        /// In the system's words.
        source: std::io::Error,
    },
}

impl Demo {
    /// Starts everything on loopback ports and registers both phones.
    ///
    /// # Errors
    /// Says which part could not start.
    pub async fn start(config: &Config, trace: Option<&Trace>) -> Result<Self, DemoError> {
        // Passwords of this run only: nobody outside the process needs them.
        let mut rng = Rng::from_seed(driver::seed());
        let passwords = PHONES.map(|_| rng.next_u64().to_string());
        let mut pbx = Pbx::builder().udp(LOOPBACK).tcp(LOOPBACK);
        pbx = pbx.extension(ORBIT, Service::Park(OrbitConfig::default()));
        pbx = pbx.pickup_group(PHONES.map(|(number, _)| number));
        for ((number, _), password) in PHONES.iter().zip(&passwords) {
            pbx = pbx.user(*number, password);
        }
        let pbx = pbx.start().await?;
        let mut desks = Vec::new();
        let mut panels = Vec::new();
        for ((number, name), password) in PHONES.iter().zip(&passwords) {
            let account = AccountConfig::parse(&format!("sip:{number}@{}", pbx.addr()))
                .map_err(sidetone_sip_ua::Error::from)?
                .with_password(password)
                .with_display_name(format!("{name} {number}"));
            let mut config = Config { accounts: vec![account], ..config.clone() };
            config.network.local = LOOPBACK;
            if config.keys.keys.is_empty() {
                config.keys.keys = keys(config.model, number);
            }
            let agent = config.user_agent(name, trace).await?;
            let (desk, panel) = Desk::start(&config, agent, &format!("{name}, {number}")).await?;
            desks.push(desk);
            panels.push(panel);
        }
        for account in desks.iter().flat_map(Desk::accounts) {
            tokio::time::timeout(REGISTER_WITHIN, account.registered())
                .await
                .map_err(|_| DemoError::NotRegistered)??;
        }
        let panel = PanelServer::start(config.panel, panels, hints())
            .await
            .map_err(|source| DemoError::Panel { address: config.panel, source })?;
        Ok(Self { panel, desks, pbx })
    }

    /// Where the panel is served.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.panel.address()
    }

    /// The demo's PBX, to which other phones may be pointed too.
    #[must_use]
    pub const fn pbx(&self) -> &PbxHandle {
        &self.pbx
    }

    /// Hangs up, un-registers and ends.
    pub async fn shutdown(self) {
        drop(self.panel);
        for desk in self.desks {
            desk.shutdown().await;
        }
        self.pbx.shutdown().await;
    }
}

/// The functions of the keys after the two lines: as many as the telephone has keys.
fn keys(model: &Model, own: &str) -> Vec<KeyConfig> {
    let others = PHONES.iter().filter(|(number, _)| *number != own);
    let mut functions: Vec<(KeyFunction, String)> =
        others.map(|(number, name)| (KeyFunction::Blf(BlfKey::new(*number)), (*name).to_owned())).collect();
    functions.push((KeyFunction::Park(ParkKey::new(ORBIT)), format!("Park {ORBIT}")));
    functions.push((KeyFunction::GroupPickup(GROUP_PICKUP.to_owned()), "Pickup".to_owned()));
    functions.push((KeyFunction::Dnd, String::new()));
    for (number, name) in PHONES.iter().filter(|(number, _)| *number != own) {
        let intercom = KeyFunction::Intercom { number: (*number).to_owned(), form: IntercomForm::default() };
        functions.push((intercom, format!("To {name}")));
    }
    functions.push((KeyFunction::SpeedDial("*43".to_owned()), "Echo test".to_owned()));
    let places = (3..=model.lines).map(Key::Line);
    places
        .zip(functions)
        .map(|(key, (function, label))| KeyConfig::new(key, function).with_label(label))
        .collect()
}

fn hints() -> Vec<Hint> {
    let hint = |number: &str, meaning: &str, phone| Hint {
        number: number.to_owned(),
        meaning: meaning.to_owned(),
        phone,
    };
    let services = [
        ("*43", "Echo test: hear yourself"),
        ("*44", "A spoken prompt"),
        ("600", "A tone"),
        ("601", "Rings without answer"),
    ];
    let services = services.map(|(number, meaning)| hint(number, meaning, None));
    let phones = (1..).zip(PHONES).map(|(place, (number, name))| hint(number, name, Some(place)));
    services.into_iter().chain(phones).collect()
}
