//! The proxies' languages: HTTP CONNECT, plain HTTP, SOCKS5 replies, limits on clients.

mod support;

use netstack::{Config, DialError, Event, ProxyKind};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use support::*;

fn open(proxy: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(proxy).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends `text` and reads to the end.
fn exchange(proxy: SocketAddr, text: &str) -> String {
    let mut stream = open(proxy);
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// An origin that answers with the head and the body it got, then closes.
fn origin(body: usize) -> u16 {
    server(move |mut stream| {
        let head = read_head(&mut stream);
        let mut got = vec![0; body];
        stream.read_exact(&mut got).unwrap();
        let answer = format!(
            "HTTP/1.1 200 OK\r\n\r\n{head}{}",
            String::from_utf8(got).unwrap()
        );
        stream.write_all(answer.as_bytes()).unwrap();
    })
}

#[test]
fn http_connect_opens_a_tunnel() {
    let port = echo_server();
    let lab = Lab::new();
    for kind in [ProxyKind::Http, ProxyKind::Both] {
        let mut stream = open(lab.proxy(kind));
        // Early data right behind the head must not be lost.
        let request = format!("CONNECT b.test:{port} HTTP/1.1\r\nHost: x\r\n\r\nearly");
        stream.write_all(request.as_bytes()).unwrap();
        assert!(read_head(&mut stream).starts_with("HTTP/1.1 200 "));
        stream.write_all(b"late").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "earlylate");
    }
}

#[test]
fn a_plain_request_reaches_the_origin_in_its_form() {
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Both);
    for host in ["b.test", "system.test"] {
        let port = origin(4);
        let answer = exchange(
            proxy,
            &format!(
                "POST http://{host}:{port}/path?q HTTP/1.1\r\nHost: other\r\nProxy-Connection: keep-alive\r\n\
                 Proxy-Authorization: Basic eA==\r\nContent-Length: 4\r\n\r\nbodyGET http://forbidden.test/ HTTP/1.1\r\n\r\n"
            ),
        );
        let want = format!(
            "HTTP/1.1 200 OK\r\n\r\nPOST /path?q HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\
             Content-Length: 4\r\n\r\nbody"
        );
        assert_eq!(answer, want);
    }
    lab.wait_for(|w| (w.a.counters().flows_open + w.b.counters().flows_open == 0).then_some(()));
}

#[test]
fn http_errors_say_why() {
    let closed = closed_port();
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Http);
    for (target, status, reason) in [
        (format!("b.test:{closed}"), "502", "connection refused"),
        ("forbidden.test:80".into(), "403", "said the table"),
        ("nowhere.test:80".into(), "502", "said the table"),
    ] {
        let answer = exchange(proxy, &format!("CONNECT {target} HTTP/1.1\r\n\r\n"));
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        let line = format!("\r\nTailscale-Connect-Error: {reason}\r\n");
        assert!(answer.contains(&line), "{answer}");
    }
    let answer = exchange(proxy, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let answer = exchange(proxy, "GET ftp://a/ HTTP/1.1\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let answer = exchange(proxy, "GET http://a/\nX:y HTTP/1.1\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let big = format!(
        "GET http://a/ HTTP/1.1\r\nX: {}\r\n\r\n",
        "a".repeat(20_000)
    );
    assert!(exchange(proxy, &big).starts_with("HTTP/1.1 431 "));
}

#[test]
fn socks_refusals_have_their_codes() {
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Both);
    for (host, code) in [("forbidden.test", 2), ("nowhere.test", 4), ("a b", 1)] {
        assert_eq!(socks_connect(proxy, host, 80).unwrap_err(), code, "{host}");
    }
    // BIND is not offered; neither is any way to authenticate.
    let mut stream = open(proxy);
    stream
        .write_all(&[5, 1, 0, 5, 2, 0, 1, 1, 2, 3, 4, 0, 80])
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer[..4], [5, 0, 5, 7]);
    let mut stream = open(proxy);
    stream.write_all(&[5, 1, 2]).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, [5, 0xff]);
}

#[test]
fn socks_takes_addresses_of_both_families_byte_by_byte() {
    let port = echo_server();
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Both);
    for text in [B4, B6] {
        let mut stream = open(proxy);
        stream.set_nodelay(true).unwrap();
        let mut request = vec![5, 1, 0, 5, 1, 0];
        match ip(text) {
            std::net::IpAddr::V4(ip) => {
                request.push(1);
                request.extend_from_slice(&ip.octets());
            }
            std::net::IpAddr::V6(ip) => {
                request.push(4);
                request.extend_from_slice(&ip.octets());
            }
        }
        request.extend_from_slice(&port.to_be_bytes());
        for byte in request {
            stream.write_all(&[byte]).unwrap();
        }
        stream.write_all(b"ping").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert_eq!(answer[..5], [5, 0, 5, 0, 0]);
        assert!(answer.ends_with(b"ping"));
    }
}

#[test]
fn the_next_address_is_tried_when_the_first_leads_nowhere() {
    let port = echo_server();
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Socks5);
    // The dead address belongs to nobody: `b` drops its packets.
    let start = Instant::now();
    let mut stream = socks_connect(proxy, "both.test", port).unwrap();
    let took = start.elapsed();
    assert!(
        took > Duration::from_millis(290) && took < Config::default().connect_timeout,
        "{took:?}"
    );
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    assert_eq!(lab.on(|w| w.a.counters().flows_open), 1);
}

#[test]
fn a_destination_that_never_answers_times_out() {
    let short = Config {
        connect_timeout: Duration::from_millis(200),
        request_timeout: Duration::from_millis(200),
        ..Config::default()
    };
    let lab = Lab::with(short, Config::default());
    let proxy = lab.proxy(ProxyKind::Both);
    assert_eq!(socks_connect(proxy, "100.64.9.9", 80).unwrap_err(), 4);
    assert_eq!(socks_connect(proxy, "never.test", 80).unwrap_err(), 4);
    // A client that says nothing, or only half a request, is let go.
    for words in ["", "CONNECT b.te"] {
        let answer = exchange(proxy, words);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "));
    }
    lab.wait_for(|w| (w.a.counters().clients_open == 0).then_some(()));
    assert_eq!(lab.on(|w| w.a.counters().flows_open), 0);
}

#[test]
fn clients_beyond_the_limit_are_turned_away() {
    let few = Config {
        max_clients: 3,
        ..Config::default()
    };
    let lab = Lab::with(few, Config::default());
    let proxy = lab.proxy(ProxyKind::Socks5);
    let mut streams: Vec<TcpStream> = (0..3).map(|_| open(proxy)).collect();
    lab.wait_for(|w| (w.a.counters().clients_open == 3).then_some(()));
    assert_eq!(open(proxy).read(&mut [0]).unwrap_or(0), 0);
    assert_eq!(lab.on(|w| w.a.counters().drop_client_limit), 1);
    streams.clear();
    lab.wait_for(|w| (w.a.counters().clients_open == 0).then_some(()));
}

#[test]
fn a_dial_gives_a_descriptor_or_a_reason() {
    let (port, closed) = (echo_server(), closed_port());
    let lab = Lab::new();
    let dial = |id: u64, text: &str, port: u16| {
        let to = SocketAddr::new(ip(text), port);
        lab.on(move |w| w.a.dial(w.now, id, to, Duration::from_millis(300)));
        lab.wait_for(move |w| {
            let is = |e: &Event| matches!(e, Event::DialDone { id: i, .. } if *i == id);
            let at = w.events_a.iter().position(is)?;
            match w.events_a.remove(at) {
                Event::DialDone { result, .. } => Some(result),
                _ => None,
            }
        })
    };
    let fd = dial(1, B6, port).unwrap();
    let mut stream = UnixStream::from(fd);
    stream.set_nonblocking(false).unwrap();
    stream.write_all(b"through").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "through");
    assert_eq!(dial(2, B4, closed).unwrap_err(), DialError::Refused);
    assert_eq!(dial(3, "100.64.9.9", 80).unwrap_err(), DialError::TimedOut);
    lab.on(|w| w.a.set_addresses(&[ip(A6)]));
    assert_eq!(dial(4, B4, port).unwrap_err(), DialError::NoAddress);
}

#[test]
fn an_own_address_leads_to_this_machine() {
    let port = echo_server();
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Socks5);
    let mut stream = socks_connect(proxy, A4, port).unwrap();
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_big_relay_outside_the_tunnel_is_byte_exact() {
    let port = server(|mut stream| {
        assert_eq!(check_pattern(&mut stream, 5), 20_000_000);
        send_pattern(&mut stream, 6, 20_000_000);
    });
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Socks5);
    let mut stream = socks_connect(proxy, "system.test", port).unwrap();
    send_pattern(&mut stream, 5, 20_000_000);
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(check_pattern(&mut stream, 6), 20_000_000);
}

#[test]
fn a_closed_listener_frees_its_address() {
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Socks5);
    assert!(lab.on(move |w| w.a.listen_proxy(ProxyKind::Http, proxy).is_err()));
    assert!(lab.on(move |w| w.a.close_proxy(proxy)));
    assert!(TcpStream::connect(proxy).is_err());
    lab.on(move |w| w.a.listen_proxy(ProxyKind::Http, proxy).unwrap());
}

#[test]
fn an_http_proxy_has_the_pac_file_and_nothing_else_of_its_own() {
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Both);
    let ask = |line: &str| exchange(proxy, &format!("{line} HTTP/1.1\r\nHost: {proxy}\r\n\r\n"));
    assert!(ask("GET /proxy.pac").starts_with("HTTP/1.1 404"));
    let pac = "function FindProxyForURL(url, host) { return 'DIRECT' }\n";
    lab.on(move |w| w.a.set_pac(Some(pac.to_owned())));
    for line in ["GET /proxy.pac", "GET /wpad.dat"] {
        let answer = ask(line);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("Content-Type: application/x-ns-proxy-autoconfig\r\n"));
        assert!(answer.contains("Cache-Control: no-store\r\n"));
        assert!(!answer.to_lowercase().contains("access-control"));
        assert!(answer.ends_with(pac));
    }
    let head = ask("HEAD /proxy.pac");
    assert!(head.contains(&format!("Content-Length: {}\r\n", pac.len())));
    assert!(head.ends_with("\r\n\r\n"));
    // A page of a name that was made to lead here, and what a page's form can send.
    let rebound = "GET /proxy.pac HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    assert!(exchange(proxy, rebound).starts_with("HTTP/1.1 403"));
    let form = "POST / HTTP/1.1\r\nHost: 127.0.0.1:1055\r\nOrigin: http://evil.example\r\nContent-Length: 3\r\n\r\nabc";
    assert!(exchange(proxy, form).starts_with("HTTP/1.1 403"));
    assert_eq!(lab.on(|w| w.a.counters().proxy_requests), 0);
}
