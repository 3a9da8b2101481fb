//! What becomes of open flows when the networks behind peers change hands: see netstack's moved.rs. One that nobody
//! carries any more ends after a while, since a change of hands may come as two messages.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use dataplane::peers::PeerSpec;
use dataplane::pipeline::Pipeline;
use dataplane::prefix::Prefix;
use dataplane::tunnel::Key;
use netstack::Netstack;

/// How long a flow may be without anybody to carry it.
const WITHOUT: Duration = Duration::from_secs(3);

/// Who carried each open flow before a change.
pub struct Before(Vec<(usize, IpAddr, Option<Key>)>);

#[derive(Default)]
pub struct Moves {
    /// When flows that nobody carries end.
    lost_at: Option<Instant>,
}

impl Moves {
    /// None when no network behind a peer is in the change: addresses of peers alone move nothing.
    pub fn before(
        pipeline: &Pipeline,
        stack: &Netstack,
        upserts: &[PeerSpec],
        removes: &[Key],
    ) -> Option<Before> {
        let is_network = |route: &Prefix| route.as_host().is_none();
        let had = |key: &Key| {
            let peers = pipeline.peers();
            let peer = peers.slot_of(key).and_then(|slot| peers.get(slot));
            peer.is_some_and(|peer| peer.routes.iter().any(is_network))
        };
        let moving = removes.iter().any(had)
            || upserts
                .iter()
                .any(|spec| spec.routes.iter().any(is_network) || had(&spec.key));
        moving.then(|| {
            let flows = stack.remotes().into_iter();
            Before(
                flows
                    .map(|(slot, ip)| (slot, ip, carrier(pipeline, ip)))
                    .collect(),
            )
        })
    }

    pub fn after(
        &mut self,
        now: Instant,
        pipeline: &Pipeline,
        stack: &mut Netstack,
        before: Before,
    ) {
        let mut moved = Vec::new();
        for (slot, ip, was) in before.0 {
            match carrier(pipeline, ip) {
                None if was.is_some() => self.lost_at = Some(now + WITHOUT),
                after if after != was => moved.push(slot),
                _ => {}
            }
        }
        stack.hurry_flows(&moved);
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        self.lost_at
    }

    pub fn handle_timeout(&mut self, now: Instant, pipeline: &Pipeline, stack: &mut Netstack) {
        if self.lost_at.is_none_or(|at| at > now) {
            return;
        }
        self.lost_at = None;
        let flows = stack.remotes().into_iter();
        let lost: Vec<usize> = flows
            .filter(|(_, ip)| pipeline.peers().carrier(*ip).is_none())
            .map(|(slot, _)| slot)
            .collect();
        stack.lose_flows(now, &lost);
    }
}

/// By key: the number of a peer that left may be another's.
fn carrier(pipeline: &Pipeline, ip: IpAddr) -> Option<Key> {
    let peers = pipeline.peers();
    Some(peers.get(peers.carrier(ip)?)?.key)
}
