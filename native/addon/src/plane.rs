//! One data plane: a packet thread with its sockets, as a JavaScript object.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use dataplane::geneve::MAX_VNI;
use dataplane::peers::{Path, UdpAddr};
use device::udp::Options;
use napi::Status;
use napi::bindgen_prelude::Buffer;
use napi::threadsafe_function::{
    ThreadsafeFunction, ThreadsafeFunctionCallMode, UnknownReturnValue,
};
use napi_derive::napi;
use netstack::{ProxyAnswer, ProxyKind, RefuseCode};
use packet_loop::ring::{MAX_RECORD, Ring};
use packet_loop::thread::PacketThread;
use packet_loop::world::Setup;
use packet_loop::{stats, tables};

use crate::guard::{bad, dead, fail, guard, io, parse_addr, parse_ip, parse_key};

/// One wake-up may wait; more would say nothing new.
type Wake = ThreadsafeFunction<(), UnknownReturnValue, (), Status, false, true, 2>;

#[napi(object)]
pub struct PlaneOptions {
    /// UDP port; 0, or one that is taken, gives any.
    pub port: u32,
    pub loopback_only: bool,
    pub dont_fragment: bool,
    /// SO_MARK, Linux only.
    pub mark: Option<u32>,
    /// Largest inner packet, bytes.
    pub mtu: u32,
    /// Any random number.
    pub seed: f64,
}

#[napi(object)]
pub struct Address {
    pub ip: String,
    pub port: u32,
}

impl From<SocketAddr> for Address {
    fn from(addr: SocketAddr) -> Address {
        Address {
            ip: addr.ip().to_string(),
            port: u32::from(addr.port()),
        }
    }
}

#[napi]
pub struct Plane {
    thread: Option<PacketThread>,
}

#[napi]
impl Plane {
    /// Binds the sockets and starts the packet thread. `wake` is called when records wait for `drain`; it does not keep the
    /// process alive.
    #[napi(constructor)]
    pub fn new(options: PlaneOptions, wake: Wake) -> napi::Result<Plane> {
        guard(|| {
            let setup = Setup {
                port: u16::try_from(options.port).map_err(|_| bad("not a port"))?,
                udp: Options {
                    loopback_only: options.loopback_only,
                    dont_fragment: options.dont_fragment,
                    mark: options.mark,
                },
                mtu: (options.mtu as usize).clamp(1280, 9000),
                seed: options.seed.to_bits(),
            };
            let ring = Ring::new(Box::new(move || {
                wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
            }));
            let thread = PacketThread::start(&setup, Arc::new(ring)).map_err(|error| io(&error))?;
            Ok(Plane {
                thread: Some(thread),
            })
        })
    }

    pub(crate) fn thread(&self) -> napi::Result<&PacketThread> {
        self.thread
            .as_ref()
            .ok_or_else(|| fail("native-failed", "stopped"))
    }

    #[napi]
    pub fn port(&self) -> napi::Result<u32> {
        guard(|| Ok(u32::from(self.thread()?.port())))
    }

    /// Copies whole records into `out` (128 KiB or more) and returns how many bytes; 0 when none are left.
    #[napi]
    pub fn drain(&self, mut out: Buffer) -> napi::Result<u32> {
        guard(|| {
            if out.len() < MAX_RECORD {
                return Err(bad("the buffer is smaller than a record"));
            }
            Ok(self.thread()?.drain(&mut out) as u32)
        })
    }

    #[napi]
    pub fn set_private_key(&self, key: Option<Buffer>) -> napi::Result<()> {
        guard(|| {
            let key = key.as_deref().map(parse_key).transpose()?;
            self.thread()?.cast(move |world| world.set_private_key(key));
            Ok(())
        })
    }

    /// Packed tables, see tables.ts.
    #[napi]
    pub fn set_tables(&self, message: Buffer) -> napi::Result<()> {
        guard(|| {
            let tables = tables::decode(&message).map_err(|_| bad("tables do not decode"))?;
            self.thread()?.cast(move |world| world.set_tables(tables));
            Ok(())
        })
    }

    #[napi]
    pub fn set_engine_ports(&self, ports: Vec<u32>) -> napi::Result<()> {
        guard(|| {
            let ports = ports
                .into_iter()
                .map(u16::try_from)
                .collect::<Result<Vec<_>, _>>();
            let ports = ports.map_err(|_| bad("not a port"))?;
            self.thread()?
                .cast(move |world| world.set_engine_ports(ports));
            Ok(())
        })
    }

    /// `kind`: 0 none, 1 UDP, 2 relay, 3 both. `vni`: session on a peer relay at that address, 0 = none.
    #[napi]
    pub fn set_path(
        &self,
        peer: Buffer,
        kind: u32,
        ip: String,
        port: u32,
        vni: u32,
        region: u32,
    ) -> napi::Result<()> {
        guard(|| {
            let peer = parse_key(&peer)?;
            if vni > MAX_VNI {
                return Err(bad("not a session number"));
            }
            let udp = || parse_addr(&ip, port).map(|addr| UdpAddr { addr, vni });
            let path = match kind {
                0 => Path::None,
                1 => Path::Udp(udp()?),
                2 => Path::Relay(region),
                3 => Path::Both(udp()?, region),
                _ => return Err(bad("no such kind of path")),
            };
            self.thread()?
                .cast(move |world| world.set_path(&peer, path));
            Ok(())
        })
    }

    #[napi]
    pub fn send_udp(&self, ip: String, port: u32, datagram: Buffer) -> napi::Result<()> {
        guard(|| {
            let to = parse_addr(&ip, port)?;
            if datagram.len() > 65_507 {
                return Err(bad("no datagram is so large"));
            }
            let datagram = datagram.to_vec();
            self.thread()?
                .cast_lossy(move |world| world.send_udp(to, &datagram));
            Ok(())
        })
    }

    /// Opens the sockets on which we relay for others; the port that they got.
    #[napi]
    pub fn relay_listen(&self, port: u32) -> napi::Result<u32> {
        guard(|| {
            let port = u16::try_from(port).map_err(|_| bad("not a port"))?;
            let bound = self
                .thread()?
                .call(move |world| world.relay_listen(port))
                .map_err(dead)?;
            bound.map(u32::from).map_err(|error| io(&error))
        })
    }

    #[napi]
    pub fn relay_close(&self) -> napi::Result<()> {
        guard(|| {
            self.thread()?.cast(|world| world.peer_relay.close());
            Ok(())
        })
    }

    /// The bound ends of a session; port 0 = not bound.
    #[napi]
    pub fn relay_bind(
        &self,
        vni: u32,
        ip_a: String,
        port_a: u32,
        ip_b: String,
        port_b: u32,
    ) -> napi::Result<()> {
        guard(|| {
            if vni == 0 || vni > MAX_VNI {
                return Err(bad("not a session number"));
            }
            let end = |ip: &str, port| (port != 0).then(|| parse_addr(ip, port)).transpose();
            let ends = [end(&ip_a, port_a)?, end(&ip_b, port_b)?];
            self.thread()?.cast(move |world| {
                let now = world.now;
                world.peer_relay.bind(now, vni, ends);
            });
            Ok(())
        })
    }

    #[napi]
    pub fn relay_forget(&self, vni: u32) -> napi::Result<()> {
        guard(|| {
            self.thread()?
                .cast(move |world| world.peer_relay.forwarder.remove(vni));
            Ok(())
        })
    }

    #[napi]
    pub fn relay_send(&self, ip: String, port: u32, datagram: Buffer) -> napi::Result<()> {
        guard(|| {
            let to = parse_addr(&ip, port)?;
            let datagram = datagram.to_vec();
            self.thread()?
                .cast_lossy(move |world| world.peer_relay.send(to, &datagram));
            Ok(())
        })
    }

    /// Packed sessions, see `PeerRelay::rows`.
    #[napi]
    pub fn relay_sessions(&self) -> napi::Result<Buffer> {
        guard(|| {
            let packed = self
                .thread()?
                .call(|world| world.peer_relay.rows(world.now))
                .map_err(dead)?;
            Ok(packed.into())
        })
    }

    /// What peers are told of our disco key inside the tunnel; none = nothing.
    #[napi]
    pub fn set_disco_key(&self, key: Option<Buffer>) -> napi::Result<()> {
        guard(|| {
            let key = key.as_deref().map(parse_key).transpose()?;
            self.thread()?
                .cast(move |world| world.core.lock().pipeline.set_disco_key(key));
            Ok(())
        })
    }

    /// Whole RecvPacket frames as they came from the relay.
    #[napi]
    pub fn relay_frames(&self, region: u32, frames: Buffer) -> napi::Result<()> {
        guard(|| {
            self.thread()?
                .cast_relay(region, BytesMut::from(&frames[..]));
            Ok(())
        })
    }

    /// `kind`: 0 socks5, 1 http, 2 both.
    #[napi]
    pub fn listen_proxy(&self, kind: u32, ip: String, port: u32) -> napi::Result<Address> {
        guard(|| {
            let addr = parse_addr(&ip, port)?;
            let kind = match kind {
                0 => ProxyKind::Socks5,
                1 => ProxyKind::Http,
                2 => ProxyKind::Both,
                _ => return Err(bad("no such kind of proxy")),
            };
            let bound = self
                .thread()?
                .call(move |world| world.stack.listen_proxy(kind, addr))
                .map_err(dead)?;
            bound.map(Address::from).map_err(|error| io(&error))
        })
    }

    /// `kind`: 0 tunnel, 1 system, 2 no such host, 3 not allowed, 4 unreachable.
    #[napi]
    pub fn answer_proxy(
        &self,
        id: u32,
        kind: u32,
        addresses: Vec<String>,
        port: u32,
        message: String,
    ) -> napi::Result<()> {
        guard(|| {
            let addresses = addresses
                .iter()
                .map(|ip| parse_ip(ip))
                .collect::<napi::Result<Vec<_>>>()?;
            let port = u16::try_from(port).map_err(|_| bad("not a port"))?;
            let refuse = |code| ProxyAnswer::Refuse { code, message };
            let answer = match kind {
                0 => ProxyAnswer::Tunnel { addresses, port },
                1 => ProxyAnswer::System { addresses, port },
                2 => refuse(RefuseCode::NoSuchHost),
                3 => refuse(RefuseCode::NotAllowed),
                4 => refuse(RefuseCode::Unreachable),
                _ => return Err(bad("no such answer")),
            };
            self.thread()?.cast(move |world| {
                let now = world.now;
                world.stack.answer_proxy(now, u64::from(id), answer);
            });
            Ok(())
        })
    }

    /// TCP through the tunnel; the end comes as a record.
    #[napi]
    pub fn dial(&self, id: u32, ip: String, port: u32, timeout_ms: u32) -> napi::Result<()> {
        guard(|| {
            let to = parse_addr(&ip, port)?;
            let timeout = Duration::from_millis(u64::from(timeout_ms));
            self.thread()?.cast(move |world| {
                let now = world.now;
                world.stack.dial(now, u64::from(id), to, timeout);
            });
            Ok(())
        })
    }

    /// `icmp` false: TSMP. The end comes as a record.
    #[napi]
    pub fn ping(&self, id: u32, icmp: bool, ip: String, size_bytes: u32) -> napi::Result<()> {
        guard(|| {
            let to = parse_ip(&ip)?;
            self.thread()?.cast(move |world| {
                let now = world.now;
                if icmp {
                    world
                        .stack
                        .ping_icmp(now, u64::from(id), to, size_bytes.min(1200) as usize);
                } else {
                    world.ping_tsmp(id, to);
                }
            });
            Ok(())
        })
    }

    /// The end of an `echo wanted` record.
    #[napi]
    pub fn answer_echo(&self, id: u32, answered: bool) -> napi::Result<()> {
        guard(|| {
            let number = u16::try_from(id).map_err(|_| bad("not a number of an echo"))?;
            self.thread()?
                .cast(move |world| world.stack.answer_echo(number, answered));
            Ok(())
        })
    }

    /// Packed flows of others to other machines, see stats.ts.
    #[napi]
    pub fn served(&self) -> napi::Result<Buffer> {
        guard(|| {
            let rows = self
                .thread()?
                .call(|world| world.stack.served())
                .map_err(dead)?;
            Ok(stats::encode_served(&rows).into())
        })
    }

    /// Packed counts of every peer, see stats.ts.
    #[napi]
    pub fn stats(&self) -> napi::Result<Buffer> {
        guard(|| {
            let packed = self
                .thread()?
                .call(|world| stats::encode(world.core.lock().pipeline.peers()))
                .map_err(dead)?;
            Ok(packed.into())
        })
    }

    #[napi]
    pub fn counters(&self) -> napi::Result<HashMap<String, f64>> {
        guard(|| {
            let counters = self.thread()?.call(|world| {
                let mut counters = HashMap::new();
                world.each_counter(|name, value| {
                    counters.insert(name.to_string(), value as f64);
                });
                counters
            });
            counters.map_err(dead)
        })
    }

    /// The tunnel address behind a loopback source of an inbound flow; `proto` 6 or 17.
    #[napi]
    pub fn flow_owner(&self, proto: u32, ip: String, port: u32) -> napi::Result<Option<Address>> {
        guard(|| {
            let local = parse_addr(&ip, port)?;
            let proto = u8::try_from(proto).map_err(|_| bad("not a protocol"))?;
            let owner = self
                .thread()?
                .call(move |world| world.stack.flow_owner(proto, local))
                .map_err(dead)?;
            Ok(owner.map(Address::from))
        })
    }

    /// New sockets on the first of `ports` that is free, else on any; the port that they got.
    #[napi]
    pub fn rebind(&self, ports: Vec<u32>) -> napi::Result<u32> {
        guard(|| {
            let ports = ports
                .into_iter()
                .map(u16::try_from)
                .collect::<Result<Vec<_>, _>>();
            let ports = ports.map_err(|_| bad("not a port"))?;
            let bound = self
                .thread()?
                .call(move |world| world.rebind(&ports))
                .map_err(dead)?;
            bound.map(u32::from).map_err(|error| io(&error))
        })
    }

    /// Ends the packet thread and waits for it; idempotent.
    #[napi]
    pub fn stop(&mut self) -> napi::Result<()> {
        guard(|| {
            self.thread = None;
            Ok(())
        })
    }
}
