//! ICMP echoes away from the JavaScript thread: see device::echo.

use std::net::IpAddr;
use std::time::Duration;

use device::echo::{self, Echo};
use device::wire::Steer;
use napi::bindgen_prelude::{AsyncTask, Buffer};
use napi::{Env, Result, Task};
use napi_derive::napi;

use crate::guard::{bad, guard, io, parse_ip};
use crate::wire::WireWay;

/// Requests at once: one thread waits for all of them.
const MAX_ECHOES: usize = 64;

pub struct AskEcho {
    echoes: Vec<Echo>,
    timeout: Duration,
    way: Steer,
}

impl Task for AskEcho {
    type Output = Vec<f64>;
    type JsValue = Vec<f64>;

    fn compute(&mut self) -> Result<Vec<f64>> {
        guard(|| {
            let found =
                echo::ask(&self.echoes, self.timeout, self.way).map_err(|error| io(&error))?;
            let ms = |one: Option<Duration>| one.map_or(-1.0, |took| took.as_secs_f64() * 1000.0);
            Ok(found.into_iter().map(ms).collect())
        })
    }

    fn resolve(&mut self, _env: Env, found: Vec<f64>) -> Result<Vec<f64>> {
        Ok(found)
    }
}

/// Round trips in ms, in the order of the addresses; negative: no answer in time. Rejects with `access-denied`,
/// `not-supported` where this user may not ask. Throws `bad-argument`.
#[napi]
pub fn ask_echo(
    ips: Vec<String>,
    payloads: Vec<Buffer>,
    timeout_ms: u32,
    way: WireWay,
) -> Result<AsyncTask<AskEcho>> {
    guard(|| {
        if ips.len() != payloads.len() || ips.len() > MAX_ECHOES {
            return Err(bad("as many payloads as addresses, at most 64"));
        }
        let mut echoes = Vec::with_capacity(ips.len());
        for (ip, payload) in ips.iter().zip(&payloads) {
            let IpAddr::V4(to) = parse_ip(ip)? else {
                return Err(bad("not an IPv4 address"));
            };
            if payload.len() > 64 {
                return Err(bad("a payload has at most 64 bytes"));
            }
            echoes.push(Echo {
                to,
                payload: payload.to_vec(),
            });
        }
        Ok(AsyncTask::new(AskEcho {
            echoes,
            timeout: Duration::from_millis(u64::from(timeout_ms)),
            way: way.into(),
        }))
    })
}
