/**
 * Where texts of other people's machines end up: programs, files, requests, questions to DNS, lines of logs and of the
 * journal. In each a hostile text stays a text.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { toHex } from '../../main/engine/base/bytes.ts'
import { isDecodeError } from '../../main/engine/base/errors.ts'
import { makeLog } from '../../main/engine/base/log.ts'
import { decideProxy } from '../../main/engine/backend/proxy-names.ts'
import { canonicalIp } from '../../main/engine/base/ip.ts'
import { distribution } from '../../main/engine/io/hostinfo.ts'
import { planMark } from '../../main/engine/io/inbox/mark.ts'
import { pingCommand, PingProgram } from '../../main/engine/io/ping-program.ts'
import { findProgram, SYSTEM_PROGRAMS } from '../../main/engine/io/run-program.ts'
import { Store } from '../../main/engine/io/store.ts'
import { JournalRing, decodeEvent, encodeEvent } from '../../main/engine/core/journal/journal.ts'
import { applyMapResponse } from '../../main/engine/core/netmap/apply.ts'
import { checkMapResponse } from '../../main/engine/core/tailcfg/check-map.ts'
import { upgradeRequest } from '../../main/engine/derp/upgrade.ts'
import { isOpenableUrl } from '../../main/engine/core/session/auth-url.ts'
import { mayOpen } from '../../main/web/may-open.ts'
import { openerFor } from '../../main/web/open-browser.ts'
import { HandClock } from '../sim/clock.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { makeRig, recorded } from '../unit/backend/rig.ts'
import { HOSTILE_TEXTS, type Chance } from './chance.ts'
import { fuzz } from './fuzz.ts'

// eslint-disable-next-line no-control-regex
const STEERS = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/
const FIRST = recorded('02-initial-one-peer.json')
const dir = makeTempDir('sink')
afterAll(() => removeTempDir(dir))

/** A web address with something hostile somewhere in it. */
function hostileUrl(chance: Chance): string {
  const part = (): string => (chance.is(0.4) ? chance.text().slice(0, 200) : chance.pick(['hs.example', 'evil.example', '127.0.0.1', '[::1]', 'a', '']))
  const scheme = chance.pick(['https://', 'http://', 'https:', 'HTTPS://', 'javascript:', 'file://', 'data:', 'smb://', '//', '\\\\', '--', chance.text().slice(0, 20)])
  return `${scheme}${chance.is(0.2) ? `${part()}@` : ''}${part()}${chance.is(0.2) ? `:${chance.int(-1, 70_000)}` : ''}${chance.is(0.5) ? `/${part()}` : ''}${chance.is(0.2) ? `?${part()}#${part()}` : ''}`
}

fuzz('only a clean web address ever reaches the program that opens one', (chance) => {
  const url = hostileUrl(chance)
  const control = chance.pick(['https://hs.example', 'http://hs.example', ''])
  const allowed = mayOpen(url, control)
  if (isOpenableUrl(url, control)) expect(STEERS.test(url)).toBe(false)
  if (allowed === undefined) return
  expect(allowed).toMatch(/^https?:\/\/[^\s@\\/]+\/[\x21-\x7e]*$/)
  for (const platform of ['linux', 'darwin', 'win32']) {
    const opener = openerFor(allowed, { platform, env: { DISPLAY: ':0' } })!
    // One word, and never one that a program takes for an option.
    expect(opener.at(-1)).toBe(allowed)
    expect(opener.filter((word) => word.includes('example')).length).toBeLessThanOrEqual(1)
  }
})

fuzz('the program that asks for an echo gets an address as its last word and nothing else of a stranger', async (chance) => {
  const text = chance.is(0.5) ? chance.text().slice(0, 60) : chance.pick(['192.0.2.1', '2001:db8::1', '-c', '192.0.2.1;id', '::1%eth0'])
  if (canonicalIp(text) !== text) expect(await new PingProgram({ nowMs: () => 0, path: '', program: join(dir, 'none') }).ask(text)).toBe('silent')
  for (const platform of ['linux', 'darwin', 'win32'] as const) expect(pingCommand(platform, '192.0.2.1').filter((word) => word.includes('192.0.2.1'))).toEqual(['192.0.2.1'])
})

fuzz('the program that marks files gets an absolute path and nothing that the sender chose beside it', (chance) => {
  const path = `/in/${chance.pick(HOSTILE_TEXTS)}`
  const plan = planMark('darwin', { path, from: chance.pick(HOSTILE_TEXTS), wallMs: chance.int(0, 2 ** 40), uuid: '00000000-0000-0000-0000-000000000000' })
  expect(plan).toEqual({ kind: 'command', program: '/usr/bin/xattr', args: ['-s', '-w', 'com.apple.quarantine', expect.stringMatching(/^0081;[\da-f]+;Bowline;[0-]+$/), path] })
})

test('no program but those known is ever started, and none through a shell', () => {
  const sources = readdirSync(new URL('../../main', import.meta.url), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  const starting = sources.filter((name) => readFileSync(new URL(`../../main/${name}`, import.meta.url), 'utf8').includes('child_process'))
  // Ping and the browser, what marks received files as from the internet, which is given whole paths, what sets routes and names, and what installs the service.
  const known = [
    join('app', 'admin-rights.ts'), join('cli', 'service', 'run-system.ts'),
    join('cli', 'transfers', 'mark.ts'), join('engine', 'io', 'inbox', 'mark.ts'), join('engine', 'io', 'ping-program.ts'), join('engine', 'io', 'run-program.ts'), join('web', 'open-browser.ts'),
  ]
  expect(starting.toSorted()).toEqual(known)
  for (const name of starting) expect(readFileSync(new URL(`../../main/${name}`, import.meta.url), 'utf8')).not.toMatch(/shell:|exec\(/)
})

test('the system programs are these, found in the system\'s folders alone', () => {
  expect([...SYSTEM_PROGRAMS]).toEqual(['ip', 'nft', 'iptables-restore', 'ip6tables-restore', 'iptables-save', 'ip6tables-save', 'resolvconf', 'systemctl',
    'ifconfig', 'route', 'pfctl', 'scutil', 'dscacheutil', 'killall', 'netsh', 'reg', 'ipconfig', 'powershell',
  ])
  for (const program of SYSTEM_PROGRAMS) expect(findProgram(program) ?? '/bin/').toMatch(/^(\/usr)?\/s?bin\//)
})

fuzz('names of files are the engine\'s own, whatever the server calls things', (chance, index) => {
  const folder = join(dir, String(index))
  mkdirSync(folder)
  const rig = makeRig({ store: new Store({ dir: folder, clock: new HandClock() }) })
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: { ControlURL: 'https://good.example', WantRunning: true }, AuthKey: 'k' })
  const hostile = (): string => chance.pick(HOSTILE_TEXTS)
  const node = FIRST.Node!
  const message = checkMapResponse({
    ...FIRST, Domain: hostile(), Node: { ...node, Name: hostile(), StableID: hostile(), Hostinfo: { Hostname: hostile(), OS: hostile() } },
    UserProfiles: [{ ID: node.User, LoginName: hostile(), DisplayName: hostile(), ProfilePicURL: hostile() }],
    DisplayMessages: { [hostile()]: { Title: hostile(), Text: hostile(), PrimaryAction: { URL: hostile(), Label: hostile() } } },
    DERPMap: { Regions: { 1: { RegionID: 1, RegionCode: hostile(), RegionName: hostile(), Nodes: [{ Name: hostile(), HostName: hostile() }] } } },
  })
  if (isDecodeError(message)) throw new Error(message.detail)
  rig.signIn(message)
  rig.clock.advance(2000)
  rig.backend.stop()
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  for (const name of names) expect(name).toMatch(/^[a-z]+(-[0-9a-f]{1,16})?\.json(\.previous)?$/)
  removeTempDir(folder)
}, { share: 0.03 })

fuzz('a relay\'s name is a host name, so that nothing is slipped into the request to it', (chance) => {
  const wanted = chance.is(0.5) ? chance.text() : `relay.example${chance.text()}`
  const message = checkMapResponse({ ...FIRST, DERPMap: { Regions: { 1: { RegionID: 1, Nodes: [{ Name: chance.text(), HostName: wanted, IPv4: '127.0.0.1' }] } } } })
  if (isDecodeError(message)) throw new Error(message.detail)
  for (const node of message.DERPMap?.Regions?.[1]?.Nodes ?? []) {
    const lines = Buffer.from(upgradeRequest(node.HostName, node.Name, chance.is(0.5))).toString('latin1').split('\r\n')
    expect(lines.filter((line) => /^Host: [\x21-\x7e]+$/.test(line))).toHaveLength(1)
    expect(lines.filter((line) => line === '').length).toBe(2)
    expect(lines.length).toBeLessThanOrEqual(9)
  }
})

fuzz('the system\'s resolver is asked for host names alone', (chance) => {
  const delta = applyMapResponse(undefined, FIRST, 0)
  if (isDecodeError(delta)) throw new Error(delta.detail)
  const host = chance.text()
  const decision = decideProxy({ host, port: 80 }, { netMap: delta.netMap, peers: [], routes: [], egress: { kind: 'direct' }, allowLan: false, system: { interfaces: [] } })
  if (decision.kind === 'ask') expect(host.replace(/^\[|\]$/g, '')).toMatch(/^[A-Za-z0-9_.İK-]{1,255}$/)
  if (decision.kind === 'refuse') expect(decision.message.length).toBeLessThan(1000)
})

fuzz('a line of the log or of the journal stays one line and steers no terminal', (chance) => {
  const lines: string[] = []
  const log = makeLog('trace', (line) => lines.push(line))
  const [text, value] = [chance.text(), chance.text()]
  log.info(text, { value })
  log.part('x').warn(text, { [value.slice(0, 10).replace(/[^a-z]/g, 'k')]: text })
  expect(lines.filter((line) => STEERS.test(line))).toEqual([])
  const ring = new JournalRing(4)
  const event = ring.add(0, { part: 'p', kind: 'k', why: text, name: value, deep: chance.json(), wide: Object.fromEntries(Array.from({ length: chance.pick([0, 0, 5, 60]) }, () => [chance.text(), [chance.text(), chance.json()]])) })
  const line = encodeEvent(event)
  expect(line.length).toBeLessThan(64_000)
  expect(line).not.toMatch(/[\r\n]/)
  expect(decodeEvent(line)).toEqual(JSON.parse(line))
})

fuzz('what the system says of itself is told as text of bounded length, or not at all', (chance) => {
  const files: Record<string, string> = {
    '/etc/os-release': `ID=${chance.text()}\nVERSION_ID="${chance.text()}"\n${chance.text()}=${chance.text()}\nVERSION_CODENAME='${chance.text()}'`,
    '/etc/debian_version': chance.text(),
  }
  for (const value of Object.values(distribution((path) => files[path]))) expect(value?.length).toBeLessThanOrEqual(100)
})

test('the hostile texts are still hostile', () => {
  expect(HOSTILE_TEXTS.filter((text) => STEERS.test(text)).length).toBeGreaterThan(5)
  expect(toHex(Buffer.from(HOSTILE_TEXTS.join('')))).toContain('00')
})
