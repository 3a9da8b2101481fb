//! Links between network namespaces that the kernel cannot play: delay, loss, reordering, black holes, and NAT kinds that
//! nftables lacks.
//!
//! Lines on standard input, one line of answer each (`ok`, JSON, or `error …`):
//!
//!     link ID NAMESPACE-A DEVICE-A NAMESPACE-B DEVICE-B   a TUN device on either side; A is inside, B outside
//!     set ID NAME=VALUE…                                  see link.rs and nat.rs; the rest stays as it is
//!     rebind ID                                           the NAT forgets its mappings and takes other ports
//!     stats ID                                            packets each way, outward first
//!
//! Ends when standard input closes. Linux, root.

mod link;
mod nat;
mod tun;

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

use link::Link;

fn run(links: &mut HashMap<String, Arc<Link>>, words: &[&str]) -> Result<String, String> {
    match words {
        ["link", id, space_a, device_a, space_b, device_b] => {
            let inside = tun::open(space_a, device_a)?;
            let outside = tun::open(space_b, device_b)?;
            links.insert(id.to_string(), Link::start(inside, outside));
            Ok("ok".to_string())
        }
        [verb, id, rest @ ..] => {
            let link = links.get(*id).ok_or_else(|| format!("no link {id}"))?;
            match *verb {
                "set" => link.set(rest).map(|()| "ok".to_string()),
                "rebind" => {
                    link.rebind();
                    Ok("ok".to_string())
                }
                "stats" => Ok(link.stats()),
                _ => Err(format!("no verb {verb}")),
            }
        }
        _ => Err("a line has a verb and a link".to_string()),
    }
}

fn main() {
    // SAFETY: prctl with these arguments touches no memory. Timers of this process fire within a microsecond or so.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    let mut links = HashMap::new();
    println!("ready");
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split_whitespace().collect();
        println!("{}", run(&mut links, &words).unwrap_or_else(|why| format!("error {why}")));
        let _ = io::stdout().flush();
    }
}
