//! Our demo PBX in this process, as baresip and linphone can use it.

use super::agent::within;
use libtest_mimic::Failed;
use sidetone_pbx::{Pbx, PbxBuilder, PbxEvent, PbxEvents, PbxHandle};
use sidetone_sip_core::{Algorithm, DigestConfig};

pub(crate) struct OurPbx {
    pub(crate) pbx: PbxHandle,
    pub(crate) port: u16,
    events: PbxEvents,
}

impl OurPbx {
    /// With these users, whose passwords are `<name>-secret`, and what `more` adds. It challenges by MD5 alone: baresip 1.0 gives
    /// up ("Function not implemented") at the first challenge that it does not know, though one that it knows follows.
    pub(crate) async fn start(
        users: &[&str],
        more: impl FnOnce(PbxBuilder) -> PbxBuilder,
    ) -> Result<Self, Failed> {
        let mut digest = DigestConfig::default();
        digest.algorithms = vec![Algorithm::Md5];
        let builder = Pbx::builder().udp("127.0.0.1:0".parse()?).realm("127.0.0.1").digest(digest);
        let builder =
            users.iter().fold(builder, |builder, user| builder.user(*user, &format!("{user}-secret")));
        let pbx = more(builder).start().await?;
        Ok(Self { port: pbx.addr().port(), events: pbx.events(), pbx })
    }

    pub(crate) fn uri(&self, user: &str) -> String {
        format!("sip:{user}@127.0.0.1:{}", self.port)
    }

    /// Waits until all of these have registered. Once: what was told before is not told again.
    pub(crate) async fn registered(&mut self, users: &[&str]) -> Result<(), Failed> {
        let mut missing = users.to_vec();
        let all = async {
            while !missing.is_empty() {
                match self.events.next().await {
                    Some(PbxEvent::Registered { user, .. }) => missing.retain(|name| *name != user),
                    Some(_) => {}
                    None => return Err(Failed::from("the PBX ended")),
                }
            }
            Ok(())
        };
        within("registration at our PBX", all).await?
    }
}
