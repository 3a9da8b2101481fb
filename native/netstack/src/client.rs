//! Proxy clients: from accept to the connection they asked for.
//!
//!   greeting → request → asking (the owner decides) → racing → spliced to a flow or a relay
//!                     ↘ refused, or the PAC file: reply, then close once the client has read it
//!
//! A client is bounded in bytes (16 KiB before it is connected) and in time at every step.

use crate::Netstack;
use crate::http_proxy::{self, MAX_HEAD};
use crate::listener::Serves;
use crate::local::LocalSocket;
use crate::race::Purpose;
use crate::socks5::{self, Parsed, reply};
use crate::splice::Splice;
use crate::timers::Due;
use crate::tokens::Source;
use crate::types::{DialError, Event, ProxyAnswer, ProxyKind, RefuseCode};
use mio::net::TcpStream;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a refused client may take to read the reply.
const GOODBYE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The first byte tells the language.
    Unknown,
    SocksGreeting,
    SocksRequest,
    HttpHead,
    /// With the number of the question.
    Asking(u64),
    Racing(usize),
    /// All is said.
    Goodbye,
}

pub(crate) struct Client {
    stream: TcpStream,
    token: usize,
    state: State,
    via: ProxyKind,
    /// Read and not yet used.
    input: Vec<u8>,
    /// For a plain HTTP request: what the origin gets first, and how much of the client's data may follow.
    http: Option<(Vec<u8>, Option<u64>)>,
    deadline: Instant,
    /// At a forward, which says nothing to its client: its number, and what counts the connection.
    forward: Option<(u32, Arc<()>)>,
}

/// Why a client gets no connection, in both languages.
struct Refusal {
    socks: u8,
    http: u16,
    text: String,
}

impl From<DialError> for Refusal {
    fn from(error: DialError) -> Refusal {
        let socks = match error {
            DialError::Refused => reply::REFUSED,
            DialError::Unreachable | DialError::TimedOut => reply::HOST_UNREACHABLE,
            DialError::NoAddress => reply::NETWORK_UNREACHABLE,
            DialError::Blocked => reply::NOT_ALLOWED,
            DialError::Limit | DialError::Cancelled => reply::FAILURE,
        };
        let http = match error {
            DialError::Blocked => 403,
            DialError::TimedOut => 504,
            _ => 502,
        };
        let text = error.text().to_owned();
        Refusal { socks, http, text }
    }
}

enum Step {
    /// Nothing complete in the input yet.
    Wait,
    Again,
    Ask(String, u16),
    Associate,
    /// The PAC file; true: its head alone.
    Pac(bool),
    Refuse(Refusal),
    Drop,
}

impl Netstack {
    pub(crate) fn add_client(&mut self, now: Instant, mut stream: TcpStream, serves: &Serves) {
        if self.clients.len() + self.associations.len() >= self.config.max_clients {
            self.counters.drop_client_limit += 1;
            return;
        }
        let _ = stream.set_nodelay(true);
        let token = self.tokens.add(Source::Nobody);
        let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
        let registered = self
            .registry
            .register(&mut stream, self.tokens.mio(token), interest);
        if registered.is_err() {
            self.tokens.free(token);
            self.counters.drop_no_descriptor += 1;
            return;
        }
        let (state, via, forward) = match serves {
            Serves::Proxy(ProxyKind::Socks5) => (State::SocksGreeting, ProxyKind::Socks5, None),
            Serves::Proxy(ProxyKind::Http) => (State::HttpHead, ProxyKind::Http, None),
            Serves::Proxy(ProxyKind::Both) => (State::Unknown, ProxyKind::Both, None),
            Serves::Forward(id, open) => {
                (State::Unknown, ProxyKind::Both, Some((*id, open.clone())))
            }
        };
        let deadline = now + self.config.request_timeout;
        let slot = self.clients.insert(Client {
            stream,
            token,
            state,
            via,
            input: Vec::new(),
            http: None,
            deadline,
            forward,
        });
        self.counters.clients_open = self.clients.len() as u64;
        self.tokens.set(token, Source::Client(slot));
        self.timers.set(deadline, Due::Client(slot));
        match serves {
            Serves::Proxy(_) => self.client_ready(now, slot),
            Serves::Forward(id, _) => self.ask_forward(now, slot, *id),
        }
    }

    fn ask_forward(&mut self, now: Instant, slot: usize, forward: u32) {
        let Ok(from) = self.clients[slot].stream.peer_addr() else {
            return self.drop_client(now, slot);
        };
        let id = self.new_request(now, Asker::Client(slot));
        self.clients[slot].state = State::Asking(id);
        self.events
            .push_back(Event::ForwardRequest { id, forward, from });
    }

    /// The client may have sent something, or have gone away.
    pub(crate) fn client_ready(&mut self, now: Instant, slot: usize) {
        let Some(client) = self.clients.get_mut(slot) else {
            return;
        };
        let open = match client.state {
            State::Asking(_) | State::Racing(_) => return self.check_gone(now, slot),
            State::Goodbye => client.discard(),
            _ => client.fill(),
        };
        // What arrived before the end of the stream may still be a whole request.
        self.advance_client(now, slot);
        let waiting = self
            .clients
            .get(slot)
            .is_some_and(|c| !matches!(c.state, State::Asking(_) | State::Racing(_)));
        if !open && waiting {
            self.drop_client(now, slot);
        }
    }

    fn check_gone(&mut self, now: Instant, slot: usize) {
        let gone = self
            .clients
            .get(slot)
            .is_some_and(|client| client.stream.take_error().is_ok_and(|e| e.is_some()));
        if gone {
            self.drop_client(now, slot);
        }
    }

    fn advance_client(&mut self, now: Instant, slot: usize) {
        loop {
            let Some(client) = self.clients.get_mut(slot) else {
                return;
            };
            match client.step() {
                Step::Wait => return,
                Step::Again => {}
                Step::Ask(host, port) => return self.ask(now, slot, host, port),
                Step::Associate => return self.client_to_association(now, slot),
                Step::Pac(head_only) => return self.send_pac(now, slot, head_only),
                Step::Refuse(refusal) => return self.refuse(now, slot, refusal),
                Step::Drop => return self.drop_client(now, slot),
            }
        }
    }

    fn ask(&mut self, now: Instant, slot: usize, host: String, port: u16) {
        let id = self.new_request(now, Asker::Client(slot));
        let client = &mut self.clients[slot];
        client.state = State::Asking(id);
        let via = client.via;
        self.events.push_back(Event::ProxyRequest {
            id,
            via,
            host,
            port,
        });
    }

    /// A number for a decision the owner has to make within the request timeout.
    pub(crate) fn new_request(&mut self, now: Instant, asker: Asker) -> u64 {
        self.next_request += 1;
        let id = self.next_request;
        self.requests.insert(id, asker);
        self.counters.proxy_requests += 1;
        self.timers
            .set(now + self.config.request_timeout, Due::Request(id));
        id
    }

    /// The decision on a `ProxyRequest`. An unknown or late id is ignored.
    pub fn answer_proxy(&mut self, now: Instant, id: u64, answer: ProxyAnswer) {
        match self.requests.remove(&id) {
            Some(Asker::Client(slot)) if self.is_asking(slot, id) => {
                self.answer_client(now, slot, answer);
            }
            Some(Asker::Association(slot)) => self.answer_association(now, slot, id, answer),
            Some(Asker::UdpClient(slot)) => self.answer_udp_client(now, slot, id, answer),
            Some(Asker::Client(_)) | None => {}
        }
    }

    /// Whether the client in this slot is still the one that asked.
    fn is_asking(&self, slot: usize, id: u64) -> bool {
        self.clients
            .get(slot)
            .is_some_and(|c| c.state == State::Asking(id))
    }

    fn answer_client(&mut self, now: Instant, slot: usize, answer: ProxyAnswer) {
        let (addresses, port, by_system) = match answer {
            ProxyAnswer::Tunnel { addresses, port } => (addresses, port, false),
            ProxyAnswer::System { addresses, port } => (addresses, port, true),
            ProxyAnswer::Engine { to } => return self.client_to_engine(now, slot, to),
            ProxyAnswer::Refuse { code, message } => {
                let (socks, http) = match code {
                    RefuseCode::NoSuchHost => (reply::HOST_UNREACHABLE, 502),
                    RefuseCode::NotAllowed => (reply::NOT_ALLOWED, 403),
                    RefuseCode::Unreachable => (reply::NETWORK_UNREACHABLE, 502),
                };
                let text = message;
                return self.refuse(now, slot, Refusal { socks, http, text });
            }
        };
        let to = addresses.into_iter().map(|ip| SocketAddr::new(ip, port));
        let timeout = self.config.connect_timeout;
        let race = self.start_race(now, Purpose::Client(slot), to, by_system, timeout);
        self.clients[slot].state = State::Racing(race);
        self.advance_race(now, race);
    }

    pub(crate) fn request_due(&mut self, now: Instant, id: u64) {
        match self.requests.remove(&id) {
            Some(Asker::Client(slot)) if self.is_asking(slot, id) => {
                self.client_failed(now, slot, DialError::TimedOut);
            }
            Some(Asker::Association(slot)) => self.forget_route(slot, id),
            Some(Asker::UdpClient(slot)) => self.forget_udp_client(slot, id),
            Some(Asker::Client(_)) | None => {}
        }
    }

    pub(crate) fn client_failed(&mut self, now: Instant, slot: usize, error: DialError) {
        let forward = self.clients.get(slot).and_then(|c| c.forward.as_ref());
        if let Some((forward, _)) = forward {
            let forward = *forward;
            self.events
                .push_back(Event::ForwardFailed { forward, error });
        }
        self.refuse(now, slot, error.into());
    }

    fn refuse(&mut self, now: Instant, slot: usize, refusal: Refusal) {
        let Some(client) = self.clients.get_mut(slot) else {
            return;
        };
        self.counters.proxy_refused += 1;
        if client.forward.is_some() {
            // There is no language to say it in.
            client.reset_when_dropped();
            return self.drop_client(now, slot);
        }
        let bytes = match (client.via, client.state) {
            (ProxyKind::Http, _) => http_proxy::encode_error(refusal.http, &refusal.text),
            (_, State::SocksGreeting) => socks5::GREETING_NO_METHOD.to_vec(),
            _ => socks5::encode_error(refusal.socks),
        };
        self.say_goodbye(now, slot, &bytes);
    }

    fn send_pac(&mut self, now: Instant, slot: usize, head_only: bool) {
        let bytes = match &self.pac {
            Some(pac) => http_proxy::encode_pac(pac, head_only),
            None => http_proxy::encode_error(404, "there is no PAC file"),
        };
        self.say_goodbye(now, slot, &bytes);
    }

    /// Writes the last words to a client, and closes once it has read them.
    fn say_goodbye(&mut self, now: Instant, slot: usize, bytes: &[u8]) {
        let client = &mut self.clients[slot];
        client.state = State::Goodbye;
        let sent = client.write_all(bytes);
        let _ = client.stream.shutdown(std::net::Shutdown::Write);
        // Closing with unread input would reset the connection and could take the reply with it.
        if !sent || !client.discard() {
            return self.drop_client(now, slot);
        }
        client.deadline = now + GOODBYE;
        self.timers.set(now + GOODBYE, Due::Client(slot));
    }

    pub(crate) fn client_due(&mut self, now: Instant, slot: usize) {
        let Some(client) = self.clients.get(slot) else {
            return;
        };
        if now < client.deadline || matches!(client.state, State::Asking(_) | State::Racing(_)) {
            return;
        }
        match client.state {
            State::HttpHead if !client.input.is_empty() => {
                let text = "request took too long".to_owned();
                let (socks, http) = (reply::FAILURE, 408);
                self.refuse(now, slot, Refusal { socks, http, text });
            }
            _ => self.drop_client(now, slot),
        }
    }

    pub(crate) fn drop_client(&mut self, now: Instant, slot: usize) {
        if let Some(client) = self.take_client(slot) {
            self.tokens.free(client.token);
            if let State::Racing(race) = client.state {
                self.cancel_race(now, race);
            }
        }
    }

    fn take_client(&mut self, slot: usize) -> Option<Client> {
        let client = self.clients.try_remove(slot)?;
        self.counters.clients_open = self.clients.len() as u64;
        Some(client)
    }

    /// The tunnel flow a client asked for is open.
    pub(crate) fn client_to_flow(&mut self, now: Instant, slot: usize, flow: usize) {
        let Some(client) = self.take_client(slot) else {
            return self.reset_flow(now, flow);
        };
        let bound = self.flows.slots[flow].key.local;
        let splice = client.into_splice(bound, self.config.tcp_buffer_start);
        self.attach(flow, splice);
    }

    /// The system connection a client asked for is open.
    pub(crate) fn client_to_system(&mut self, slot: usize, stream: TcpStream, token: usize) {
        let Some(client) = self.take_client(slot) else {
            return self.tokens.free(token);
        };
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let bound = stream.local_addr().unwrap_or(unknown);
        let limit = self.config.tcp_buffer_start;
        let near = client.into_splice(bound, limit);
        self.start_relay(near, Splice::new(LocalSocket::Tcp(stream), token, limit));
    }

    /// The client gets the engine itself at the other end.
    fn client_to_engine(&mut self, now: Instant, slot: usize, to: SocketAddr) {
        let from = self.clients[slot].stream.peer_addr().ok();
        let (Some(from), Some((far, fd))) = (from, self.pair()) else {
            return self.client_failed(now, slot, DialError::Limit);
        };
        let Some(client) = self.take_client(slot) else {
            return self.tokens.free(far.token);
        };
        let near = client.into_splice(to, self.config.tcp_buffer_start);
        self.start_relay(near, far);
        self.next_inbound += 1;
        let id = self.next_inbound;
        self.events.push_back(Event::Inbound { id, from, to, fd });
    }

    /// Resets the clients of a forward that have not been connected yet.
    pub(crate) fn drop_forward_clients(&mut self, now: Instant, open: &Arc<()>) {
        let is_of = |c: &Client| c.forward.as_ref().is_some_and(|f| Arc::ptr_eq(&f.1, open));
        let found = self.clients.iter().filter(|(_, c)| is_of(c));
        let slots: Vec<usize> = found.map(|(slot, _)| slot).collect();
        for slot in slots {
            self.clients[slot].reset_when_dropped();
            self.drop_client(now, slot);
        }
    }

    fn client_to_association(&mut self, now: Instant, slot: usize) {
        let stream = &self.clients[slot].stream;
        let (near, far) = (stream.local_addr(), stream.peer_addr());
        match self.open_association(&near, &far) {
            Some((association, bound)) => {
                let Some(mut client) = self.take_client(slot) else {
                    return;
                };
                if client.write_all(&socks5::encode_reply(reply::OK, bound)) {
                    self.keep_control(association, client.stream, client.token);
                } else {
                    self.tokens.free(client.token);
                    self.close_association(association);
                }
            }
            None => self.refuse(now, slot, DialError::Limit.into()),
        }
    }
}

/// Who waits for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    Client(usize),
    /// A UDP association, for one of its destinations.
    Association(usize),
    /// A client of a UDP forward.
    UdpClient(usize),
}

impl Client {
    /// Reads what there is, up to the limit; false at the end of the stream.
    fn fill(&mut self) -> bool {
        let mut chunk = [0; 4096];
        while self.input.len() < MAX_HEAD {
            let room = chunk.len().min(MAX_HEAD - self.input.len());
            match self.stream.read(&mut chunk[..room]) {
                Ok(0) => return false,
                Ok(n) => self.input.extend_from_slice(&chunk[..n]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return true,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    fn reset_when_dropped(&self) {
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// Reads and forgets, a bounded amount; false at the end of the stream.
    fn discard(&mut self) -> bool {
        let mut chunk = [0; 4096];
        for _ in 0..64 {
            match self.stream.read(&mut chunk) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
        false
    }

    /// Replies are small and the socket is fresh: if one does not fit at once, the client is not worth waiting for.
    fn write_all(&mut self, bytes: &[u8]) -> bool {
        matches!(self.stream.write(bytes), Ok(n) if n == bytes.len())
    }

    fn step(&mut self) -> Step {
        match self.state {
            State::Unknown => match self.input.first() {
                None => Step::Wait,
                Some(&socks5::VERSION) => {
                    self.state = State::SocksGreeting;
                    Step::Again
                }
                Some(_) => {
                    self.state = State::HttpHead;
                    Step::Again
                }
            },
            State::SocksGreeting => self.step_greeting(),
            State::SocksRequest => self.step_request(),
            State::HttpHead => self.step_http(),
            State::Asking(_) | State::Racing(_) | State::Goodbye => Step::Wait,
        }
    }

    fn step_greeting(&mut self) -> Step {
        self.via = ProxyKind::Socks5;
        match socks5::parse_greeting(&self.input) {
            Parsed::Partial => Step::Wait,
            Parsed::Bad(_) => Step::Drop,
            Parsed::Done(false, _) => Step::Refuse(DialError::Blocked.into()),
            Parsed::Done(true, used) => {
                self.input.drain(..used);
                self.state = State::SocksRequest;
                match self.write_all(&socks5::GREETING_OK) {
                    true => Step::Again,
                    false => Step::Drop,
                }
            }
        }
    }

    fn step_request(&mut self) -> Step {
        let refuse = |socks| {
            let (http, text) = (400, String::new());
            Step::Refuse(Refusal { socks, http, text })
        };
        match socks5::parse_request(&self.input) {
            Parsed::Partial => Step::Wait,
            Parsed::Bad(code) => refuse(code),
            Parsed::Done(request, used) => {
                self.input.drain(..used);
                match request.command {
                    socks5::CONNECT if request.port != 0 => Step::Ask(request.host, request.port),
                    socks5::ASSOCIATE => Step::Associate,
                    socks5::CONNECT => refuse(reply::FAILURE),
                    _ => refuse(reply::BAD_COMMAND),
                }
            }
        }
    }

    fn step_http(&mut self) -> Step {
        self.via = ProxyKind::Http;
        match http_proxy::parse(&self.input) {
            http_proxy::Parsed::Partial => Step::Wait,
            http_proxy::Parsed::Bad(http, text) => Step::Refuse(Refusal {
                socks: reply::FAILURE,
                http,
                text: text.to_owned(),
            }),
            http_proxy::Parsed::Pac(head_only) => Step::Pac(head_only),
            http_proxy::Parsed::Done(head) => {
                self.input.drain(..head.used);
                if !head.connect {
                    self.http = Some((head.rewritten, head.body));
                }
                Step::Ask(head.host, head.port)
            }
        }
    }

    /// The client's side of the open connection, with the success reply and early data queued.
    fn into_splice(self, bound: SocketAddr, limit: usize) -> Splice {
        let mut splice = Splice::new(LocalSocket::Tcp(self.stream), self.token, limit);
        let mut early = self.input;
        if let Some((_, open)) = self.forward {
            splice.counted = Some(open);
            return splice;
        }
        match (self.http, self.via) {
            (Some((mut head, body)), _) => {
                // Anything beyond the body is a second request, which must not go to this origin.
                let allowed = body.unwrap_or(u64::MAX).min(early.len() as u64) as usize;
                early.truncate(allowed);
                splice.up_left = body.map(|b| b - allowed as u64);
                head.append(&mut early);
                splice.first_up = head;
            }
            (None, ProxyKind::Http) => {
                splice.first_down = http_proxy::CONNECT_OK.to_vec();
                splice.first_up = early;
            }
            (None, _) => {
                splice.first_down = socks5::encode_reply(reply::OK, bound);
                splice.first_up = early;
            }
        }
        splice
    }
}
