/**
 * Secrets stay where they belong: an engine that says all it can say, through sign-ins and sign-outs, tells nobody its
 * private keys, the auth keys it was given, or the password of the proxy.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { METHODS, type Method } from '../../main/localapi/methods.ts'
import { run } from '../support/child.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { SimControl } from './control/sim-control.ts'
import { Daemon, NODE, PROGRAM } from './daemon.ts'

const PASSWORD = 'pass-w0rd-of-the-proxy'
const BAD_KEY = 'hskey-auth-0123456789ab-mistyped0123456789mistyped0123456789mistyped0123'
const server = new SimControl()
let dir: string
let daemon: Daemon
/** All that was said, by where. */
const said = new Map<string, string>()
const secrets = new Map<string, string>()

beforeAll(async () => {
  const url = await server.start()
  dir = makeTempDir('sec')
  const proxy = `http://somebody:${PASSWORD}@127.0.0.1:9`
  daemon = await new Daemon({ dir, flags: ['--verbose=2'], env: { HTTPS_PROXY: proxy, https_proxy: proxy, NO_PROXY: '127.0.0.1' } }).ready()
  const goodKey = server.createAuthKey({ login: 'ada', reusable: true })
  secrets.set('auth key', goodKey)
  secrets.set('bad auth key', BAD_KEY)
  secrets.set('proxy password', PASSWORD)
  secrets.set('proxy credentials', Buffer.from(`somebody:${PASSWORD}`).toString('base64'))

  // A server behind the proxy, which is not there; a wrong key, which the server echoes; a good one; out and in again.
  await daemon.call('POST', 'start', { UpdatePrefs: { ControlURL: 'https://control.example', WantRunning: true }, AuthKey: goodKey })
  await waitFor('the proxy to be missed', async () => (await page()).includes('"Problem"'), { withinMs: 20_000 })
  await collect('behind the proxy')
  server.faults.add('/machine/register', { kind: 'status', status: 200, body: JSON.stringify({ Error: `no such key ${BAD_KEY}` }) }, 1)
  await daemon.call('POST', 'start', { UpdatePrefs: { ControlURL: url, WantRunning: true }, AuthKey: BAD_KEY })
  await waitFor('the key to be refused', async () => (await page()).includes('"Problem"') && server.counts.has('/ts2021'), { withinMs: 20_000 })
  await collect('refused')
  await daemon.join(url, goodKey)
  keepKeys()
  await c2n()
  await collect('connected')
  const asked = await run(NODE, [PROGRAM, `--socket=${daemon.socketPath}`, 'up', `--auth-key=file:${keyFile(goodKey)}`, '--force-reauth'])
  said.set('the command', asked.stdout + asked.stderr)
  keepKeys()
  await daemon.call('POST', 'logout')
  await collect('signed out')
  await daemon.stop()
  said.set('log', daemon.output)
  for (const [name, text] of files(dir)) if (!name.endsWith('.key')) said.set(name, text)
}, 120_000)

afterAll(async () => {
  await daemon.stop('SIGKILL')
  await server.stop()
  removeTempDir(dir)
})

async function page(): Promise<string> {
  return (await daemon.call('GET', 'bowline/session')).text
}

function keyFile(key: string): string {
  const path = join(dir, 'once.key')
  writeFileSync(path, key, { mode: 0o600 })
  return path
}

/** Every endpoint that may be asked for something, and what the system shows of the process. */
async function collect(when: string): Promise<void> {
  for (const method of Object.values(METHODS) as Method<unknown, unknown>[]) {
    if (!method.methods.includes('GET') || method.path === 'watch-ipn-bus') continue
    const path = method.path === 'whois' ? 'whois?addr=100.64.0.1' : method.path.endsWith('/') ? `${method.path}current` : method.path
    said.set(`${when}: GET ${path}`, (await daemon.call('GET', path)).text)
  }
  said.set(`${when}: bugreport`, (await daemon.call('POST', 'bugreport?diagnose=true')).text)
  const status = await run(NODE, [PROGRAM, `--socket=${daemon.socketPath}`, 'debug', 'journal'])
  said.set(`${when}: debug journal`, status.stdout + status.stderr)
  if (process.platform === 'linux') said.set(`${when}: cmdline`, readFileSync(`/proc/${daemon.process.pid}/cmdline`, 'utf8'))
}

/** What control may ask of a node. */
async function c2n(): Promise<void> {
  const node = [...server.tailnet.nodes.values()].at(-1)!
  const paths = ['/debug/prefs', '/debug/netmap', '/debug/health', '/debug/goroutines', '/debug/metrics', '/debug/component-logging', '/sockstats', '/dns/status', '/update', '/echo', '/logtail/flush', '/wol', '/tls-cert-status', '/env', '/netfilter-kind']
  for (const path of paths) said.set(`c2n ${path}`, await server.askNode(node, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`))
}

/** The private keys of this moment, out of the state file. */
function keepKeys(): void {
  for (const [name, text] of files(join(dir, 'state'))) {
    for (const [, hex] of text.matchAll(/privkey:([0-9a-f]{64})/g)) {
      const bytes = Buffer.from(hex!, 'hex')
      secrets.set(`${name} ${secrets.size}`, hex!)
      for (const encoding of ['base64', 'base64url'] as const) secrets.set(`${name} ${secrets.size} ${encoding}`, bytes.toString(encoding).replace(/=+$/, ''))
    }
  }
}

function files(folder: string): [string, string][] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .map((name) => [name, readFileSync(join(folder, name), 'latin1')])
}

test('there was something to look for and to look at', () => {
  expect(secrets.size).toBeGreaterThan(10)
  expect(said.get('log')).toContain('Running')
  expect(said.get('log')).toMatch(/debug: |trace: /)
  expect(said.get('c2n /debug/prefs')).toContain('ControlURL')
  expect([...said.keys()].some((name) => name.includes('journal.ndjson'))).toBe(true)
})

test('nothing that was said holds a secret', () => {
  const found: string[] = []
  for (const [where, text] of said) for (const [name, secret] of secrets) if (text.includes(secret)) found.push(`${name} in ${where}: …${text.slice(Math.max(0, text.indexOf(secret) - 60), text.indexOf(secret))}`)
  expect(found.filter((line) => !/ in state\/state\.json/.test(line))).toEqual([])
})

test('the state file holds keys, none of a sign-in that is over, and no auth key', () => {
  const state = [...said].filter(([name]) => name.includes('state.json')).map(([, text]) => text).join('\n')
  expect(state).toContain('privkey:')
  for (const name of ['auth key', 'bad auth key', 'proxy password']) expect(state).not.toContain(secrets.get(name))
})
