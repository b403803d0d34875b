//! What the tasks report, and what it means to the endpoint.

use super::Io;
use super::stream::{self, Established, WriteBounds};
use crate::endpoint::Endpoint;
use crate::transport::Input;
use bytes::Bytes;
use sidetone_hal::net::{FlowId, IpAddr, SocketAddr};

/// What the tasks report.
pub(super) enum Arrival {
    Datagram {
        flow: FlowId,
        source: SocketAddr,
        /// The address it was sent to, when the socket is bound to every one and the system says.
        local: Option<IpAddr>,
        payload: Bytes,
    },
    Input(Input),
    Accepted(Established),
    Connected(FlowId, Established),
}

impl Io {
    /// What an arrival means to the endpoint; nothing when it is of a flow that was closed meanwhile.
    pub(super) fn receive(&mut self, endpoint: &mut Endpoint, arrival: Arrival) -> Option<Input> {
        match arrival {
            Arrival::Datagram { flow, source, local, payload } => {
                match local {
                    Some(local) => {
                        let news = self.routes.learn(source, local);
                        if news || !endpoint.has_route(source.ip()) {
                            endpoint.set_route(source.ip(), local);
                        }
                    }
                    None => self.learn_route(endpoint, source),
                }
                let now = self.now();
                let mut retired = self.sockets.iter_mut().filter(|socket| socket.is_retired());
                if let Some(socket) = retired.find(|socket| socket.flow == Some(flow)) {
                    socket.quiet_since = Some(now);
                }
                Some(Input::Datagram { flow, source, payload })
            }
            Arrival::Input(input) => match &input {
                Input::Stream { flow, .. } | Input::Frame { flow, .. } => {
                    self.connections.contains_key(flow).then_some(input)
                }
                Input::FlowDown { flow, .. } => {
                    self.connections.remove(flow);
                    Some(input)
                }
                Input::Datagram { .. } | Input::Unreachable { .. } | Input::FlowUp { .. } => Some(input),
            },
            Arrival::Accepted(accepted) => {
                self.learn_route(endpoint, accepted.remote);
                let now = self.now();
                if let Some(flow) = endpoint.accept(now, accepted.protocol, accepted.local, accepted.remote) {
                    #[cfg(feature = "tls")]
                    vouch(endpoint, flow, &accepted);
                    self.start(flow, accepted);
                }
                None
            }
            Arrival::Connected(flow, connected) => {
                let local = connected.local;
                if !self.connections.contains_key(&flow) {
                    return None;
                }
                self.start(flow, connected);
                Some(Input::FlowUp { flow, local })
            }
        }
    }

    fn start(&mut self, flow: FlowId, established: Established) {
        let bounds = WriteBounds { queue: self.config.write_queue, limit: self.config.write_limit };
        let connection = stream::start(flow, established, &self.arrival_sender, bounds, &mut self.tasks);
        self.connections.insert(flow, connection);
    }
}

/// Says whose connection this is, as its certificate proves.
#[cfg(feature = "tls")]
fn vouch(endpoint: &mut Endpoint, flow: FlowId, accepted: &Established) {
    let peer = accepted.session.as_ref().and_then(|session| session.peer.as_ref());
    for domain in peer.filter(|peer| peer.trusted).into_iter().flat_map(|peer| &peer.domains) {
        endpoint.set_peer(flow, domain.as_str());
    }
}
