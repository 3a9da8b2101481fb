import { expect, test } from 'vitest'
import { controlCandidates, planCandidates } from '../../../main/engine/control/candidates.ts'

const ports = (url: string, onlySecure = false): string[] =>
  controlCandidates(new URL(url), onlySecure).map(({ secure, port, delayMs }) => `${secure ? 'https' : 'http'} ${port} after ${delayMs}`)

test('an https server is tried on port 80 at once and by TLS half a second later', () => {
  expect(ports('https://c.example')).toEqual(['http 80 after 0', 'https 443 after 500'])
  expect(ports('https://c.example:8443')).toEqual(['http 80 after 0', 'https 8443 after 500'])
})

test('an http server is tried on its port, and by TLS unless it is local', () => {
  expect(ports('http://c.example:8080')).toEqual(['http 8080 after 0', 'https 443 after 500'])
  for (const host of ['localhost', '127.0.0.1', '[::1]', '192.168.1.5', '10.1.2.3', '100.64.0.9', '[fd7a::1]', '169.254.1.1']) expect(ports(`http://${host}:8080`)).toEqual(['http 8080 after 0'])
  expect(ports('http://localhost')).toEqual(['http 80 after 0'])
})

test('soon after another dial an https server is tried by TLS only, an http server as ever', () => {
  expect(ports('https://c.example', true)).toEqual(['https 443 after 0'])
  expect(ports('http://c.example:8080', true)).toEqual(['http 8080 after 0', 'https 443 after 500'])
  expect(ports('http://127.0.0.1:8080', true)).toEqual(['http 8080 after 0'])
})

test("a server's dial plan gives addresses in order of their delays, within bounds", () => {
  const plan = { Candidates: [{ IP: '192.0.2.2', DialStartDelaySec: 1 }, { IP: '192.0.2.1', DialTimeoutSec: 1e9 }, { IP: 'not an address' }, {}] }
  expect(planCandidates(plan, new URL('https://c.example'))).toEqual([
    { secure: true, port: 443, address: '192.0.2.1', delayMs: 0, timeoutMs: 60_000 },
    { secure: true, port: 443, address: '192.0.2.2', delayMs: 1000, timeoutMs: 5000 },
  ])
  expect(planCandidates(undefined, new URL('https://c.example'))).toEqual([])
})
