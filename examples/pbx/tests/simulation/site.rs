//! The PBX of a run.

use crate::Feature;
use crate::music::MUSIC;
use crate::network::PBX;
use crate::phone::{DESK, USERS};
use crate::settings::QUEUE;
use core::time::Duration;
use sidetone_hal::rng::Rng;
use sidetone_pbx::{
    CallConfig, MemoryMailboxes, Music, OrbitConfig, Pbx, PbxHandle, RingGroup, RoomConfig, Service,
    VoicemailConfig,
};
use sidetone_sip_core::driver::{DriverConfig, MemoryNetwork};
use sidetone_sip_ua::PortPlan;

/// What the list of the desk has.
pub const TEAM: [&str; 6] = ["alice", "bob", "carol", "701", "702", "800"];

/// Everything that the features need, with times that are over before the network counts as quiet.
pub async fn start(feature: Feature, memory: &MemoryNetwork, rng: &mut Rng) -> PbxHandle {
    let mut seed = [0; 32];
    rng.fill(&mut seed);
    let mut calls = CallConfig::default();
    calls.no_answer_after = Duration::from_secs(8);
    let mut orbit = OrbitConfig::default();
    (orbit.time_out, orbit.ring_back) = (Duration::from_secs(15), Duration::from_secs(10));
    let group = || RingGroup::new(USERS).ring_for(Duration::from_secs(10));
    let mut builder = Pbx::builder()
        .driver(DriverConfig::new().network(memory.clone()))
        .udp(PBX.parse().unwrap())
        .seed(seed)
        .rtp_ports(PortPlan::nowhere())
        .calls(calls)
        .user(DESK, "secret")
        .ring_group("500", group())
        .ring_group("501", group().one_by_one(Duration::from_secs(4)))
        .ring_group(QUEUE, RingGroup::queue(USERS).ring_for(Duration::from_secs(10)))
        .pickup_group(USERS)
        .blf_list("team", TEAM)
        .extension("*70", Service::Confirmation)
        .extension(MUSIC, Service::MusicOnHold(Music::melody()))
        .extension("701", Service::Park(orbit.clone()))
        .extension("702", Service::Park(orbit))
        .extension("800", Service::Conference(RoomConfig::default()));
    for user in USERS {
        builder = builder.user(user, "secret");
    }
    if feature == Feature::Voicemail {
        let mut config = VoicemailConfig::default();
        config.longest = Duration::from_secs(6);
        builder = builder.voicemail("*98", "*97", config, MemoryMailboxes::new());
    }
    builder.start().await.unwrap()
}
