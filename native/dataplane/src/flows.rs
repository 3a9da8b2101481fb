//! What a flow is, and bounded memory of flows: a map that forgets what was longest unused.
//!
//! It is bounded by construction: a peer that opens flow after flow pushes out old entries, never grows memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

use crate::ip::Parsed;

/// One direction of one flow, as it stands in a packet's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    pub proto: u8,
    pub src: IpAddr,
    pub src_port: u16,
    pub dst: IpAddr,
    pub dst_port: u16,
}

impl Flow {
    pub fn of(parsed: &Parsed) -> Flow {
        Flow {
            proto: parsed.proto,
            src: parsed.src,
            src_port: parsed.src_port,
            dst: parsed.dst,
            dst_port: parsed.dst_port,
        }
    }

    pub fn reversed(&self) -> Flow {
        Flow {
            proto: self.proto,
            src: self.dst,
            src_port: self.dst_port,
            dst: self.src,
            dst_port: self.src_port,
        }
    }
}

const NONE: u32 = u32::MAX;

struct Node<K, V> {
    key: K,
    value: V,
    newer: u32,
    older: u32,
}

/// A map of at most `capacity` keys that forgets the one longest unused. Hashed with a random key: peers choose ports.
pub struct Lru<K, V> {
    capacity: usize,
    map: HashMap<K, u32>,
    nodes: Vec<Node<K, V>>,
    newest: u32,
    oldest: u32,
    free: Vec<u32>,
}

impl<K: Copy + Eq + Hash, V> Lru<K, V> {
    pub fn new(capacity: usize) -> Lru<K, V> {
        Lru {
            capacity,
            map: HashMap::new(),
            nodes: Vec::new(),
            newest: NONE,
            oldest: NONE,
            free: Vec::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.map.len()
    }

    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    pub fn clear(&mut self) {
        *self = Lru::new(self.capacity);
    }

    /// The value of `key`, which becomes the newest.
    pub fn touch(&mut self, key: &K) -> Option<&mut V> {
        if self.newest != NONE && self.nodes[self.newest as usize].key == *key {
            return Some(&mut self.nodes[self.newest as usize].value);
        }
        let at = *self.map.get(key)?;
        self.unlink(at);
        self.link_newest(at);
        Some(&mut self.nodes[at as usize].value)
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        self.map.get(key).map(|at| &self.nodes[*at as usize].value)
    }

    /// Sets `key` as the newest; the oldest goes when there is no room.
    pub fn insert(&mut self, key: K, value: V) {
        if let Some(old) = self.touch(&key) {
            *old = value;
            return;
        }
        if self.map.len() >= self.capacity {
            let oldest = self.nodes[self.oldest as usize].key;
            self.remove(&oldest);
        }
        let node = Node {
            key,
            value,
            newer: NONE,
            older: NONE,
        };
        let at = match self.free.pop() {
            Some(at) => {
                self.nodes[at as usize] = node;
                at
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        };
        self.map.insert(key, at);
        self.link_newest(at);
    }

    pub fn remove(&mut self, key: &K) -> bool {
        let Some(at) = self.map.remove(key) else {
            return false;
        };
        self.unlink(at);
        self.free.push(at);
        true
    }

    /// Every key with its value, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.map
            .iter()
            .map(|(key, at)| (key, &self.nodes[*at as usize].value))
    }

    fn unlink(&mut self, at: u32) {
        let (newer, older) = (self.nodes[at as usize].newer, self.nodes[at as usize].older);
        match newer {
            NONE => self.newest = older,
            _ => self.nodes[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            _ => self.nodes[older as usize].newer = newer,
        }
    }

    fn link_newest(&mut self, at: u32) {
        let before = self.newest;
        let node = &mut self.nodes[at as usize];
        node.newer = NONE;
        node.older = before;
        match before {
            NONE => self.oldest = at,
            _ => self.nodes[before as usize].newer = at,
        }
        self.newest = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(port: u16) -> Flow {
        let ip: IpAddr = "100.64.0.1".parse().unwrap();
        Flow {
            proto: 17,
            src: ip,
            src_port: port,
            dst: ip,
            dst_port: 1,
        }
    }

    #[test]
    fn forgets_the_flow_longest_unused_and_stays_bounded() {
        let mut lru = Lru::new(3);
        for port in 0..3 {
            lru.insert(flow(port), port);
        }
        assert!(lru.touch(&flow(0)).is_some());
        lru.insert(flow(3), 3);
        assert!(lru.get(&flow(1)).is_none());
        assert!(lru.get(&flow(0)).is_some() && lru.get(&flow(2)).is_some());
        for port in 4..1000 {
            lru.insert(flow(port), port);
        }
        assert_eq!((lru.len(), lru.nodes.len()), (3, 3));
        assert!(lru.remove(&flow(998)) && !lru.remove(&flow(998)));
        lru.insert(flow(5), 5);
        lru.insert(flow(6), 6);
        let mut ports: Vec<u16> = lru.iter().map(|(_, port)| *port).collect();
        ports.sort_unstable();
        assert_eq!(ports, [5, 6, 999]);
    }
}
