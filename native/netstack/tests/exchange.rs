//! Questions of the engine through the tunnel: one datagram out, one answer back.

mod support;

use netstack::Event;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;
use support::*;

type Ends = Vec<(u64, Option<Vec<u8>>)>;

fn ends(world: &mut World) -> Ends {
    let exchanged = world.events_a.iter().filter_map(|event| match event {
        Event::Exchanged { id, answer } => Some((*id, answer.clone())),
        _ => None,
    });
    exchanged.collect()
}

fn ask(lab: &Lab, id: u64, to: SocketAddr, question: &'static [u8], patience: Duration) {
    lab.on(move |w| w.a.exchange_udp(w.now, id, to, question, patience));
}

#[test]
fn a_question_gets_the_answer_from_that_place_by_both_families() {
    let service = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = service.local_addr().unwrap().port();
    let lab = Lab::new();
    for (id, address) in [B4, B6].into_iter().enumerate() {
        let to = SocketAddr::new(ip(address), port);
        ask(&lab, id as u64, to, b"who", PATIENCE);
    }
    let mut buffer = [0; 16];
    for _ in 0..2 {
        let (n, from) = service.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], b"who");
        // The second is nobody's: one question has one answer.
        service.send_to(b"me", from).unwrap();
        service.send_to(b"again", from).unwrap();
    }
    let mut seen = lab.wait_for(|w| Some(ends(w)).filter(|ends| ends.len() == 2));
    seen.sort();
    let me = Some(b"me".to_vec());
    assert_eq!(seen, [(0, me.clone()), (1, me)]);
}

#[test]
fn a_question_without_an_answer_ends_with_its_time() {
    let lab = Lab::new();
    let to = SocketAddr::new(ip(B4), closed_port());
    ask(&lab, 7, to, b"who", Duration::from_millis(50));
    let seen = lab.wait_for(|w| Some(ends(w)).filter(|ends| !ends.is_empty()));
    assert_eq!(seen, [(7, None)]);
}

#[test]
fn questions_are_bounded_and_those_beyond_end_at_once() {
    let lab = Lab::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = SocketAddr::new(ip(B4), silent.local_addr().unwrap().port());
    for id in 0..300 {
        ask(&lab, id, to, b"who", PATIENCE);
    }
    let seen = lab.wait_for(|w| Some(ends(w)).filter(|ends| ends.len() >= 44));
    assert_eq!(seen.len(), 44);
    assert!(
        seen.iter()
            .all(|(id, answer)| *id >= 256 && answer.is_none())
    );
}
