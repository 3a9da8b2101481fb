/**
 * Our LocalAPI beside a real tailscaled's in the same network: the same requests are answered with the same status and
 * words, and answers have the keys, types and omissions of those that a real daemon gave.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { shapeDifferences } from '../support/json-shape.ts'
import { waitFor } from '../support/wait.ts'
import type { Notify, Reply } from './lab/local-api.ts'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'

let ours: LabNode
let real: LabNode
let other: LabNode

const recorded = (file: string): unknown => JSON.parse(readFileSync(new URL(`../vectors/localapi/${file}`, import.meta.url), 'utf8').split('\n{')[0]!)

/** Requests that are refused, or whose answer says the same everywhere. */
const SAME: readonly string[] = [
  'GET dns-query?name=x&type=ZZ', 'GET dns-query?name=a..b', 'GET dns-osconfig', 'GET cert-domains', 'GET bugreport', 'GET pins', 'GET check-ip-forwarding',
  'POST check-ip-forwarding', 'GET check-udp-gro-forwarding', 'GET set-udp-gro-forwarding', 'GET check-so-mark-in-use', 'GET suggest-exit-node', 'PUT suggest-exit-node',
  'POST set-use-exit-node-enabled', 'POST set-use-exit-node-enabled?enabled=true', 'GET set-use-exit-node-enabled', 'GET serve-config', 'PUT serve-config',
  'GET services', 'POST services', 'GET dial', 'POST dial', 'GET update/check', 'GET disconnect-control', 'POST shutdown', 'GET shutdown',
  'GET appc-route-info', 'POST set-gui-visible', 'GET set-gui-visible', 'GET policy/', 'GET policy/user', 'GET policy/foo', 'PUT policy/', 'POST debug', 'GET debug',
  'POST debug?action=zzz', 'POST debug?action=rebind', 'POST debug?action=peer-relay-servers', 'GET debug-log', 'GET metrics-x', 'POST upload-client-metrics',
  'GET user-profile?id=1', 'GET user-profile?id=77', 'GET peer-by-id?id=77', 'GET peer-by-id', 'PUT prefs', 'GET check-prefs', 'GET start', 'GET login-interactive',
  'GET logout', 'GET reset-auth', 'GET profiles/zz', 'PUT profiles/zz', 'POST profiles/', 'PUT profiles/current', 'POST whois', 'GET whois?addr=x',
  'GET whois?addr=nodekey:zz', 'GET whois?addr=100.64.0.99', 'GET whois?addr=100.64.0.1&dst_ip=x', 'GET whois?addr=100.64.0.1&svc_name=x', 'GET ping', 'POST ping', 'POST ping?ip=x&type=disco',
  'POST ping?ip=100.64.0.1', 'POST ping?ip=100.64.0.1&type=TSMP&size=5', 'POST ping?ip=100.64.0.1&type=disco&size=x', 'POST ping?ip=100.64.0.1&type=disco&size=99999',
  'POST derpmap', 'GET derpmap', 'POST dns-config', 'GET dns-config', 'GET watch-ipn-bus?mask=x', 'GET watch-ipn-bus?mask=65536', 'GET watch-ipn-bus?mask=4352',
  'GET files/', 'POST files/', 'DELETE files/', 'GET files/?waitsec=x', 'GET files/?waitsec=-1', 'GET files', 'GET files/..', 'GET files/%2e%2e%2fx', 'GET files/a%2fb', 'GET files/a/b',
  'GET files/a%00b', 'GET files/%ff', 'DELETE files/a%2fb', 'DELETE files/nonesuch', 'GET watch-ipn-bus?mask=61696', 'GET watch-ipn-bus?mask=18446744073709551616', 'GET watch-ipn-bus?mask=-1', 'GET nonesuch', 'GET debug-packet-filter-rules',
]

/** How our answers may differ in shape from a real daemon's. */
const ALLOWED: readonly RegExp[] = [
  // What a system tells of itself depends on the machine that was recorded.
  /Hostinfo\.(?!Hostname|OS\b)/,
  // Which of a relay's addresses are named is the network's choice.
  /Nodes\[\]\.IPv6 is extra$/,
  // Only while the recorded daemon held a received file or a lock on its state.
  /\.?FilesWaiting/,
  // A peer's own facts of the moment: seen while offline, keys that end, its measured network.
  /(LastSeen|KeyExpiry|Expired|Online|NetInfo|Endpoints|HomeDERP|DiscoKey) is (missing|extra)$/,
]

function unexpected(mine: unknown, theirs: unknown): string[] {
  return shapeDifferences(mine, theirs).filter((line) => !ALLOWED.some((allowed) => allowed.test(line)))
}

async function ask(node: LabNode, request: string): Promise<Reply> {
  const [method, path] = request.split(' ') as [string, string]
  return node.api.call(method, path)
}

async function firstLine(node: LabNode, mask: number, isWanted: (notify: Notify) => boolean = () => true): Promise<Notify> {
  let first: Notify | undefined
  const watch = node.api.watch(mask, (notify) => {
    if (isWanted(notify)) first ??= notify
  })
  try {
    return await waitFor('the first line', () => first, { withinMs: 10_000 })
  } finally {
    watch.stop()
  }
}

describe('the LocalAPI beside that of a real daemon', () => {
  labSuite(
    'answers',
    {},
    async (lab) => {
      ;[ours, real, other] = await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'real'), lab.join('tailscaled', 'other')])
      await Promise.all([ours.waitUsable(other), real.waitUsable(other)])
    },
    () => {
      test.each(SAME)('%s is answered with the same status and words', async (request) => {
        const [mine, theirs] = await Promise.all([ask(ours, request), ask(real, request)])
        const words = ({ status, text, headers }: Reply): unknown => ({ status, text: text.trim(), type: headers['content-type']?.replace('text/plain; charset=utf-8', 'text/plain') })
        expect(words(mine)).toEqual(words(theirs))
      })

      test('every answer has the headers of a real daemon; only versions differ', async () => {
        const [mine, theirs] = await Promise.all([ask(ours, 'GET status'), ask(real, 'GET status')])
        for (const name of ['content-security-policy', 'x-frame-options', 'x-content-type-options', 'content-type']) expect(mine.headers[name], name).toBe(theirs.headers[name])
        for (const name of ['tailscale-version', 'tailscale-cap']) expect(mine.headers[name], name).toMatch(/^\d/)
      })

      test.each(['status', 'prefs', 'profiles/current', 'profiles/', 'derpmap', 'dns-config', 'debug-packet-filter-matches', 'tka/status', 'user-profile?id=1'])('%s has the shape of the real daemon beside us', async (path) => {
        const [mine, theirs] = await Promise.all([ask(ours, `GET ${path}`), ask(real, `GET ${path}`)])
        expect(unexpected(JSON.parse(mine.text), JSON.parse(theirs.text))).toEqual([])
      })

      test.each([
        ['GET status', 'status.json'],
        ['GET prefs', 'prefs.json'],
        ['GET derpmap', 'derpmap.json'],
        ['GET dns-config', 'dns-config.json'],
        ['GET profiles/', 'profiles.json'],
        ['GET profiles/current', 'profiles-current.json'],
      ])('%s has the shape of %s', async (request, file) => {
        expect(unexpected(JSON.parse((await ask(ours, request)).text), recorded(file))).toEqual([])
      })

      test('whois has the recorded shape', async () => {
        expect(unexpected(JSON.parse((await ours.api.whois((await other.ips()).v4)).text), recorded('whois-ip.json'))).toEqual([])
      })

      test.each(['disco', 'TSMP', 'ICMP', 'peerapi'])('ping %s has the recorded shape', async (type) => {
        const { text } = await ours.api.call('POST', `ping?ip=${(await other.ips()).v4}&type=${type}`)
        expect(unexpected(JSON.parse(text), recorded(`ping-${type.replace(/^[A-Z]+$/, (name) => name.toLowerCase())}.json`))).toEqual([])
      })

      test.each([2, 4, 8, 32, 1024, 2048, 16384, 131072, 262144, 2 + 4 + 8 + 128 + 4096])('the first line of a watcher with mask %d has the shape of the real one', async (mask) => {
        const [mine, theirs] = await Promise.all([firstLine(ours, mask), firstLine(real, mask)])
        expect(unexpected({ ...mine, PeerState: null }, { ...theirs, PeerState: null })).toEqual([])
      })

      test('numbers of the engine have the recorded shape', async () => {
        // Something else may be told before.
        const engine = await firstLine(ours, 1, ({ Engine }) => Engine !== null)
        const line = readFileSync(new URL('../vectors/localapi/watch-ipn-bus-mask1.ndjson', import.meta.url), 'utf8').split('\n').find((text) => text.includes('"Engine":{'))!
        expect(unexpected(engine, JSON.parse(line))).toEqual([])
      })

      test('a change of prefs, of state and of a peer is told in the recorded shapes', async () => {
        const lines: Notify[] = []
        const watch = ours.api.watch(2 + 4 + 4096, (notify) => lines.push(notify))
        const told = (what: string, is: (notify: Notify) => boolean): Promise<Notify> => waitFor(what, () => lines.slice(1).find(is), { withinMs: 20_000 })
        try {
          await waitFor('the first line', () => lines.length > 0, { withinMs: 10_000 })
          await ours.api.patchPrefs({ RouteAll: true, RouteAllSet: true })
          await other.api.patchPrefs({ Hostname: 'renamed', HostnameSet: true })
          const prefs = await told('prefs', (notify) => Boolean(notify.Prefs))
          const peers = await told('a changed peer', (notify) => notify.PeersChanged !== undefined)
          const theirs = readFileSync(new URL('../vectors/localapi/watch-ipn-bus-mask4238.ndjson', import.meta.url), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Notify)
          expect(unexpected(prefs, theirs.find((notify, i) => i > 0 && notify.Prefs))).toEqual([])
          const peerLine = theirs.find((notify) => notify.PeersChanged)!
          expect(unexpected({ ...peers, SelfChange: null, UserProfiles: null }, { ...peerLine, SelfChange: null, UserProfiles: null })).toEqual([])
        } finally {
          watch.stop()
        }
      })

      test('metrics have the names of a real daemon, and count what goes through the tunnel', async () => {
        const names = (text: string): string[] => text.split('\n').filter((line) => line.startsWith('# TYPE')).map((line) => line.slice(7)).filter((line) => !line.includes('_serve_'))
        const metrics = async (node: LabNode): Promise<string> => (await ask(node, 'GET usermetrics')).text
        expect(names(await metrics(ours))).toEqual(names(await metrics(real)))
        // Which family a direct path has is the machine's affair.
        const direct = async (way: string): Promise<number> =>
          [...(await metrics(ours)).matchAll(new RegExp(`tailscaled_${way}_packets_total\\{path="direct_ipv[46]"\\} (\\d+)`, 'g'))].reduce((sum, [, count]) => sum + Number(count), 0)
        const before = [await direct('inbound'), await direct('outbound')]
        await ours.waitDirect(other)
        const { v4 } = await other.ips()
        // The first packets may still go through the relay.
        await waitFor('direct packets each way', async () => {
          await ours.api.ping(v4, 'ICMP')
          return (await direct('inbound')) >= before[0]! + 5 && (await direct('outbound')) >= before[1]! + 5
        }, { withinMs: 20_000 })
      })
    },
  )
})
