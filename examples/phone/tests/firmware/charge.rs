//! What a call costs, told in the responses to an INVITE, in a BYE and in the answer to one: a desk and a server that is
//! written out.

use super::features::Person;
use super::policy::config;
use core::time::Duration;
use sidetone_hal::keypad::Key;
use sidetone_hal::net::SocketAddr;
use sidetone_phone::desk::Desk;
use sidetone_sip_core::header::{CSeq, Contact, ContentType, From, To};
use sidetone_sip_core::{Limits, Message, Method, Multipart, Part, Request, Response, Rng, StatusCode};
use sidetone_sip_ua::package::charge::{self, AdviceOfCharge, Amount, Cost, Price, Rate, Recorded, Tariff};
use tokio::net::UdpSocket;

/// A server that says what it is told to.
pub(crate) struct Server(UdpSocket);

impl Server {
    pub(crate) async fn new() -> Self {
        Self(UdpSocket::bind("127.0.0.1:0").await.expect("a port"))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("bound")
    }

    /// The next request of this method; others are passed over.
    pub(crate) async fn request(&self, method: &Method) -> (Request, SocketAddr) {
        let next = async {
            let mut buffer = vec![0; 65_535];
            loop {
                let (length, from) = self.0.recv_from(&mut buffer).await.expect("it runs");
                let datagram = buffer[..length].to_vec().into();
                if let Ok(Message::Request(request)) = Message::parse(datagram, &Limits::default())
                    && request.method == *method
                {
                    return (request, from);
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), next).await.expect("a request")
    }

    async fn send(&self, to: SocketAddr, message: Vec<u8>) {
        self.0.send_to(&message, to).await.expect("sent");
    }

    fn reply(&self, request: &Request, status: StatusCode) -> Response {
        let mut response = request.response(status, Some("server"));
        let contact = format!("sip:102@{}", self.address()).parse().expect("an address");
        response.headers.push(&Contact::new(contact));
        response
    }

    /// An answer to an offer: PCMU to a port that nobody reads.
    fn described(&self, mut response: Response, advice: &AdviceOfCharge) -> Response {
        let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                   m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
        let parts = [
            Part::new(&ContentType::SDP, sdp),
            Part::new(&charge::CONTENT_TYPE, advice.write().into_bytes()),
        ];
        response.set_parts(&Multipart::new("mixed", parts), &mut Rng::from_u64(7));
        response
    }
}

fn cost(amount: &str) -> Recorded {
    let amount: Amount = amount.parse().expect("a number");
    Recorded::so_far(Cost::Price(Price::new(amount, "EUR")))
}

async fn desk_of(server: &Server) -> Person {
    server.desk("phone.model = ut670\naccount.1.advice_of_charge = yes\n").await
}

impl Server {
    /// A desk that this is the server of, without registering.
    pub(crate) async fn desk(&self, settings: &str) -> Person {
        let server = self;
        let mut config = config(settings, &format!("sip:101@{}", server.address()));
        config.accounts[0].register = false;
        config.network.local = "127.0.0.1:0".parse().expect("an address");
        let agent = config.user_agent("101", None).await.expect("sockets");
        let (desk, panel) = Desk::start(&config, agent, "101").await.expect("it starts");
        Person { desk, panel }
    }
}

/// The desk calls, and learns the price with the ringing, the progress and the answer.
async fn talk(server: &Server, desk: &mut Person) -> (Request, Response, SocketAddr) {
    desk.dial("102").await;
    desk.press(Key::Send).await;
    let (invite, from) = server.request(&Method::INVITE).await;
    let rate = Rate::Flat(Price::new("0.05".parse().expect("a number"), "EUR"));
    let tariff = Tariff::Items(vec![(charge::ChargedItem::Basic, rate)]);
    let mut ringing = server.reply(&invite, StatusCode::RINGING);
    ringing.set_body(&charge::CONTENT_TYPE, AdviceOfCharge::start(tariff).write().into_bytes());
    server.send(from, ringing.to_bytes()).await;
    desk.sees("Cost 0.05 EUR").await;
    let progress = server.reply(&invite, StatusCode::SESSION_PROGRESS);
    let progress = server.described(progress, &AdviceOfCharge::during(cost("0.07")));
    server.send(from, progress.to_bytes()).await;
    desk.sees("Cost 0.07 EUR").await;
    let ok = server.described(server.reply(&invite, StatusCode::OK), &AdviceOfCharge::during(cost("0.09")));
    server.send(from, ok.to_bytes()).await;
    desk.sees("Cost 0.09 EUR").await;
    desk.sees("Talking").await;
    (invite, ok, from)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_shows_what_a_call_costs_from_its_responses_and_from_the_answer_to_its_bye() {
    let server = Server::new().await;
    let mut desk = desk_of(&server).await;
    let (_, _, from) = talk(&server, &mut desk).await;
    desk.press(Key::End).await;
    let (bye, _) = server.request(&Method::BYE).await;
    let mut ok = bye.response(StatusCode::OK, None);
    ok.set_body(&charge::CONTENT_TYPE, AdviceOfCharge::end(cost("0.31")).write().into_bytes());
    server.send(from, ok.to_bytes()).await;
    desk.sees("Cost 0.31 EUR").await;
    desk.sees_the_end().await;
    desk.desk.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_shows_what_a_call_has_cost_from_the_bye_of_the_other_side() {
    let server = Server::new().await;
    let mut desk = desk_of(&server).await;
    let (invite, ok, from) = talk(&server, &mut desk).await;
    let contact = invite.headers.require::<Contact>().expect("a contact");
    let mut bye = Request::new(Method::BYE, contact.uri().expect("an address").clone());
    let via = format!("SIP/2.0/UDP {};branch=z9hG4bKcharge", server.address());
    bye.headers.push_raw(sidetone_sip_core::header::HeaderName::VIA, &via).expect("a header");
    bye.headers.push(&From(ok.headers.require::<To>().expect("To").0));
    bye.headers.push(&To(invite.headers.require::<From>().expect("From").0));
    bye.headers.copy_all(&sidetone_sip_core::header::HeaderName::CALL_ID, &invite.headers);
    bye.headers.push(&CSeq::new(1, Method::BYE));
    bye.set_body(&charge::CONTENT_TYPE, AdviceOfCharge::end(cost("0.42")).write().into_bytes());
    server.send(from, bye.to_bytes()).await;
    desk.sees("Cost 0.42 EUR").await;
    desk.sees_the_end().await;
    desk.desk.shutdown().await;
}
