//! HTTP proxy requests: CONNECT and absolute-form targets (RFC 9110, 9112), and the proxy's own PAC file. Pure codec.
//!
//! A plain request is rewritten to origin form, loses its hop-by-hop fields and gets `Connection: close`:
//! one request a connection. The body passes as it is; `Head::body` says how much may follow, so that a
//! second request in the same connection cannot reach the first one's origin.
//! A target in origin form is for the proxy itself, which has the PAC file and nothing else, for whoever names this
//! machine as its host: neither a web page nor a name that was made to lead here gets to read it.

use crate::socks5::is_host;

pub(crate) const MAX_HEAD: usize = 16 << 10;
const MAX_FIELDS: usize = 128;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    Partial,
    Done(Head),
    /// Asks for the PAC file; true: its head alone.
    Pac(bool),
    /// Status code and reason to answer with.
    Bad(u16, &'static str),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub connect: bool,
    pub host: String,
    pub port: u16,
    /// What to send to the origin; empty for CONNECT.
    pub rewritten: Vec<u8>,
    /// Length of the head in the input.
    pub used: usize,
    /// Bytes that may follow; `None` for no limit.
    pub body: Option<u64>,
}

const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "proxy-connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "proxy-authorization",
    "proxy-authenticate",
];

/// Reads the head of a request from the start of `bytes`.
pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    let Some(used) = head_length(bytes) else {
        return match bytes.len() {
            0..MAX_HEAD => Parsed::Partial,
            _ => Parsed::Bad(431, "request header too large"),
        };
    };
    let Ok(text) = std::str::from_utf8(&bytes[..used]) else {
        return Parsed::Bad(400, "request header is not text");
    };
    match parse_head(text, used) {
        Ok(parsed) => parsed,
        Err((status, reason)) => Parsed::Bad(status, reason),
    }
}

fn head_length(bytes: &[u8]) -> Option<usize> {
    let window = &bytes[..bytes.len().min(MAX_HEAD)];
    window
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .map(|at| at + 4)
}

fn parse_head(text: &str, used: usize) -> Result<Parsed, (u16, &'static str)> {
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let line = lines.next().unwrap_or_default();
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err((400, "malformed request line"));
    };
    let is_plain = target.bytes().all(|byte| byte > b' ' && byte != 0x7f);
    if !is_token(method) || !is_plain || !version.starts_with("HTTP/1.") {
        return Err((400, "malformed request line"));
    }
    let fields = parse_fields(lines)?;
    if method == "CONNECT" {
        let (host, port) = authority(target, None).ok_or((400, "malformed CONNECT target"))?;
        return Ok(Parsed::Done(Head {
            connect: true,
            host,
            port,
            rewritten: Vec::new(),
            used,
            body: None,
        }));
    }
    if target.starts_with('/') {
        return own_page(method, target, &fields);
    }
    let scheme = target.get(..7).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("http://") {
        return Err((400, "this is a proxy: it needs an absolute http:// target"));
    }
    let rest = &target[7..];
    let path_at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (place, path) = rest.split_at(path_at);
    let (host, port) = authority(place, Some(80)).ok_or((400, "malformed target"))?;
    let path = path.split('#').next().unwrap_or_default();
    let slash = if path.starts_with('/') { "" } else { "/" };
    let rewritten = rewrite(&format!("{method} {slash}{path} HTTP/1.1"), place, &fields);
    Ok(Parsed::Done(Head {
        connect: false,
        host,
        port,
        rewritten: rewritten.into_bytes(),
        used,
        body: body_length(&fields)?,
    }))
}

/// A request for the proxy itself.
fn own_page(method: &str, target: &str, fields: &Fields) -> Result<Parsed, (u16, &'static str)> {
    let of = |wanted: &str| {
        let is = move |(name, _): &&(&str, &str)| name.eq_ignore_ascii_case(wanted);
        let found: Vec<&str> = fields.iter().filter(is).map(|(_, value)| *value).collect();
        found
    };
    let is_local = match of("host").as_slice() {
        [host] => is_this_machine(host),
        _ => false,
    };
    let by_a_page = !of("origin").is_empty() || !of("referer").is_empty();
    if !is_local || by_a_page || of("sec-fetch-site").iter().any(|site| *site != "none") {
        return Err((403, "this is a proxy; web pages may not ask it"));
    }
    let path = target.split('?').next().unwrap_or_default();
    match (path, method) {
        ("/proxy.pac" | "/wpad.dat", "GET" | "HEAD") => Ok(Parsed::Pac(method == "HEAD")),
        ("/proxy.pac" | "/wpad.dat", _) => Err((405, "the PAC file can be read only")),
        _ => Err((404, "this is a proxy: it has /proxy.pac and nothing else")),
    }
}

fn is_this_machine(host: &str) -> bool {
    let Some((host, _)) = authority(host, Some(80)) else {
        return false;
    };
    let is_loopback = |ip: std::net::IpAddr| ip.is_loopback();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback)
}

type Fields<'a> = Vec<(&'a str, &'a str)>;

fn parse_fields<'a>(
    lines: impl Iterator<Item = &'a str>,
) -> Result<Fields<'a>, (u16, &'static str)> {
    let mut fields = Vec::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            return Err((400, "malformed header field"));
        };
        // A name with white space, or a folded line, is how requests are smuggled.
        if !is_token(name) || value.contains(|c: char| c.is_control() && c != '\t') {
            return Err((400, "malformed header field"));
        }
        if fields.len() == MAX_FIELDS {
            return Err((431, "too many header fields"));
        }
        fields.push((name, value.trim()));
    }
    Ok(fields)
}

fn is_token(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(plain)
}

/// `host:port`, `[v6]:port`, or without port when there is a default.
fn authority(text: &str, default_port: Option<u16>) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, after.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
        None => default_port?,
    };
    (is_host(host) && port != 0).then(|| (host.to_owned(), port))
}

fn rewrite(line: &str, place: &str, fields: &Fields) -> String {
    let named: Vec<&str> = fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("connection"))
        .flat_map(|(_, value)| value.split(',').map(str::trim))
        .collect();
    let kept = |name: &str| {
        let is = |other: &&str| other.eq_ignore_ascii_case(name);
        let framing = name.eq_ignore_ascii_case("content-length") || is(&"transfer-encoding");
        let hop = HOP_BY_HOP.iter().any(is) || is(&"host");
        framing || (!hop && !named.iter().any(is))
    };
    let mut text = format!("{line}\r\nHost: {place}\r\nConnection: close\r\n");
    for (name, value) in fields.iter().filter(|(name, _)| kept(name)) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text
}

fn body_length(fields: &Fields) -> Result<Option<u64>, (u16, &'static str)> {
    let values = |wanted: &'static str| {
        fields
            .iter()
            .filter(move |(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| *value)
    };
    let mut lengths = values("content-length");
    let coded = values("transfer-encoding").next().is_some();
    match (lengths.next(), lengths.next(), coded) {
        (None, None, true) => Ok(None),
        (None, None, false) => Ok(Some(0)),
        (Some(digits), None, false) if digits.bytes().all(|b| b.is_ascii_digit()) => digits
            .parse()
            .map(Some)
            .map_err(|_| (400, "malformed content length")),
        _ => Err((400, "contradictory message length")),
    }
}

/// A whole answer with an error; `reason` also goes into `Tailscale-Connect-Error`, where programs look for it.
pub(crate) fn encode_error(status: u16, reason: &str) -> Vec<u8> {
    let title = match status {
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        431 => "Request Header Fields Too Large",
        504 => "Gateway Timeout",
        _ => "Bad Gateway",
    };
    let reason: String = reason
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect();
    let length = reason.len() + 1;
    format!(
        "HTTP/1.1 {status} {title}\r\nTailscale-Connect-Error: {reason}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{reason}\n"
    )
    .into_bytes()
}

/// The PAC file, for one reading: it changes with the network.
pub(crate) fn encode_pac(pac: &str, head_only: bool) -> Vec<u8> {
    let length = pac.len();
    let body = if head_only { "" } else { pac };
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-ns-proxy-autoconfig\r\nContent-Length: {length}\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nCross-Origin-Resource-Policy: same-origin\r\n\
         Connection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

pub(crate) const CONNECT_OK: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        match parse(text.as_bytes()) {
            Parsed::Done(head) => head,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_plain_request_is_rewritten_to_origin_form() {
        let head = head(
            "GET http://web.ts.net:81/a?b HTTP/1.1\r\nHost: other\r\nProxy-Connection: keep-alive\r\n\
             Connection: X-Hop\r\nX-Hop: 1\r\nAccept: */*\r\n\r\n",
        );
        assert_eq!((head.host.as_str(), head.port), ("web.ts.net", 81));
        let text = String::from_utf8(head.rewritten).unwrap();
        assert_eq!(
            text,
            "GET /a?b HTTP/1.1\r\nHost: web.ts.net:81\r\nConnection: close\r\nAccept: */*\r\n\r\n"
        );
        assert_eq!(head.body, Some(0));
    }

    #[test]
    fn connect_takes_names_and_both_families() {
        for (target, host) in [
            ("a.b:443", "a.b"),
            ("1.2.3.4:443", "1.2.3.4"),
            ("[fd7a::1]:443", "fd7a::1"),
        ] {
            let head = head(&format!("CONNECT {target} HTTP/1.1\r\n\r\n"));
            assert_eq!(
                (head.host.as_str(), head.port, head.connect),
                (host, 443, true)
            );
        }
    }

    #[test]
    fn message_lengths_that_contradict_each_other_are_refused() {
        for fields in [
            "Content-Length: 1\r\nContent-Length: 2",
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            "Content-Length : 1",
            "Content-Length: +1",
        ] {
            let text = format!("POST http://a/ HTTP/1.1\r\n{fields}\r\n\r\n");
            assert!(
                matches!(parse(text.as_bytes()), Parsed::Bad(400, _)),
                "{fields}"
            );
        }
    }

    #[test]
    fn no_input_makes_the_parser_panic() {
        let base = b"POST http://a:80/x HTTP/1.1\r\nContent-Length: 5\r\nConnection: a, b\r\n\r\n";
        for at in 0..base.len() {
            for byte in [0, b'\r', b'\n', b' ', b':', b'/', 0x80, 0xff] {
                let mut bytes = base.to_vec();
                bytes[at] = byte;
                let _ = parse(&bytes);
                let _ = parse(&bytes[..at]);
            }
        }
    }

    #[test]
    fn a_head_without_end_is_refused_at_the_limit() {
        let bytes = vec![b'a'; MAX_HEAD];
        assert!(matches!(parse(&bytes), Parsed::Bad(431, _)));
        assert_eq!(parse(&bytes[1..]), Parsed::Partial);
    }

    #[test]
    fn the_pac_file_is_for_whoever_names_this_machine() {
        let ask =
            |line: &str, fields: &str| parse(format!("{line} HTTP/1.1\r\n{fields}\r\n").as_bytes());
        for host in [
            "127.0.0.1:1055",
            "localhost:1055",
            "LOCALHOST",
            "[::1]:1055",
        ] {
            let fields = format!("Host: {host}\r\n");
            assert_eq!(ask("GET /proxy.pac", &fields), Parsed::Pac(false), "{host}");
        }
        let local = "Host: 127.0.0.1:1055\r\n";
        assert_eq!(ask("HEAD /wpad.dat?x", local), Parsed::Pac(true));
        assert!(matches!(ask("POST /proxy.pac", local), Parsed::Bad(405, _)));
        assert!(matches!(ask("GET /", local), Parsed::Bad(404, _)));
        for fields in [
            "",
            "Host: evil.example:1055\r\n",
            "Host: 127.0.0.1.evil.example\r\n",
            "Host: 127.0.0.1\r\nHost: 127.0.0.1\r\n",
            "Host: 127.0.0.1:1055\r\nOrigin: http://evil.example\r\n",
            "Host: 127.0.0.1:1055\r\nReferer: http://evil.example/\r\n",
            "Host: 127.0.0.1:1055\r\nSec-Fetch-Site: cross-site\r\n",
        ] {
            assert!(
                matches!(ask("GET /proxy.pac", fields), Parsed::Bad(403, _)),
                "{fields}"
            );
        }
    }

    #[test]
    fn an_error_text_cannot_add_header_lines() {
        let bytes = encode_error(502, "a\r\nSet-Cookie: b");
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("\r\nSet-Cookie"));
    }
}
