import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Notify } from '../../../main/localapi/types.ts'
import { NETMAP_BITS } from '../backend/rig.ts'
import { serve } from './rig.ts'
import type { ServerRig } from './rig.ts'

let api: ServerRig
beforeAll(async () => {
  api = await serve()
  api.join()
  api.rig.backend.facts.magicsock.onEndpoints([{ addr: '127.0.0.1:18111', type: 1 }])
  api.rig.backend.facts.magicsock.onHome(999)
})
afterAll(() => api.stop())

const recorded = (file: string): string => readFileSync(new URL(`../../vectors/localapi/${file}`, import.meta.url), 'utf8')

/** Keys in order with the types of their values; the keys of a map keyed by data stand as "*". */
function shape(value: unknown, path = ''): unknown {
  if (value === null) return 'null'
  if (Array.isArray(value)) return value.length === 0 ? [] : [shape(value[0], `${path}[]`)]
  if (typeof value !== 'object') return typeof value
  const entries = Object.entries(value)
  if (/(^|\.)(Peer|User|Peers|UserProfiles|CapMap|DERPLatency|LivePeers|Regions|Routes)$/.test(path)) return entries.length === 0 ? {} : { '*': shape(entries[0]![1], `${path}.*`) }
  return Object.fromEntries(entries.map(([key, item]) => [key, shape(item, path === '' ? key : `${path}.${key}`)]))
}

/** Where two shapes differ, by path; a null on either side differs from nothing but absence. */
function differences(ours: unknown, theirs: unknown, path = ''): string[] {
  if (ours === 'null' || theirs === 'null') return []
  if (Array.isArray(ours) && Array.isArray(theirs)) return ours.length > 0 && theirs.length > 0 ? differences(ours[0], theirs[0], `${path}[]`) : []
  if (typeof ours !== 'object' || typeof theirs !== 'object' || ours === null || theirs === null) return ours === theirs ? [] : [`${path}: ${JSON.stringify(ours)} is not ${JSON.stringify(theirs)}`]
  const [a, b] = [ours as Record<string, unknown>, theirs as Record<string, unknown>]
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) => {
    const at = `${path}.${key}`
    if (!(key in a)) return [`${at} is missing`]
    if (!(key in b)) return [`${at} is not there in the stock daemon`]
    return differences(a[key], b[key], at)
  })
}
const against = (ours: unknown, file: string): string[] => differences(shape(ours), shape(JSON.parse(recorded(file))))

describe('answers have the keys and types of a real daemon', () => {
  test('status', async () => {
    expect(against((await api.call('GET', 'status')).json(), 'status.json')).toEqual([])
  })

  test('devices that files can be sent to', async () => {
    const answer = await api.call('GET', 'file-targets')
    expect(against(answer.json(), 'file-targets.json')).toEqual([])
    expect(answer.json()).toHaveLength(1)
  })

  test('prefs, byte for byte but for the one who signed in', async () => {
    expect((await api.call('GET', 'prefs')).text).toBe(recorded('prefs.json'))
  })

  test('a patch of prefs', async () => {
    const answer = await api.call('PATCH', 'prefs', { body: { ShieldsUp: true, ShieldsUpSet: true } })
    expect(answer.text.trimEnd()).toBe(recorded('prefs-patched.json').trimEnd())
    await api.call('PATCH', 'prefs', { body: { ShieldsUp: false, ShieldsUpSet: true } })
  })

  test('a refused patch, byte for byte', async () => {
    const answer = await api.call('PATCH', 'prefs', { body: { ExitNodeIP: '100.64.0.2', ExitNodeIPSet: true, AdvertiseRoutes: ['0.0.0.0/0', '::/0'], AdvertiseRoutesSet: true } })
    expect([answer.status, answer.text]).toEqual([400, recorded('prefs-patch-refused.json')])
  })

  test.each([
    ['ok', 200],
    ['refused', 200],
  ])('check-prefs, %s', async (which, status) => {
    const answer = await api.call('POST', 'check-prefs', { body: recorded(`check-prefs-${which}.request.json`) })
    expect([answer.status, answer.text]).toEqual([status, recorded(`check-prefs-${which}.json`)])
  })

  test('whois', async () => {
    expect(against((await api.call('GET', 'whois?addr=100.64.0.2')).json(), 'whois-ip.json')).toEqual([])
    const unknown = await api.call('GET', 'whois?addr=100.64.0.77:1')
    expect([unknown.status, unknown.text]).toEqual([404, recorded('whois-unknown.txt')])
  })

  test.each([
    ['disco', 'ping-disco.json'],
    ['TSMP', 'ping-tsmp.json'],
    ['ICMP', 'ping-icmp.json'],
  ])('ping %s', async (type, file) => {
    expect(against((await api.call('POST', `ping?ip=100.64.0.2&type=${type}`)).json(), file)).toEqual([])
  })

  test('ping of ourselves, byte for byte', async () => {
    expect((await api.call('POST', 'ping?ip=100.64.0.1&type=disco')).text).toBe(recorded('ping-self.json'))
  })

  test.each([
    ['profiles/', 'profiles.json'],
    ['profiles/current', 'profiles-current.json'],
    ['derpmap', 'derpmap.json'],
    ['dns-config', 'dns-config.json'],
    ['check-ip-forwarding', 'check-ip-forwarding.json'],
  ])('%s', async (path, file) => {
    expect(against((await api.call('GET', path)).json(), file)).toEqual([])
  })

  test.each([
    ['serve-config', 'serve-config.json'],
    ['suggest-exit-node', 'suggest-exit-node.txt'],
    ['nonesuch', 'unknown.txt'],
  ])('%s, word for word', async (path, file) => {
    expect((await api.call('GET', path)).text.trimEnd()).toBe(recorded(file).trimEnd())
  })

  test('the first line of the bus, with its keys in the same order', async () => {
    const [ours] = await lines(NETMAP_BITS, 1)
    // That one field depends on the network of the moment.
    const theirs = JSON.parse(recorded('watch-ipn-bus-mask4238.ndjson').split('\n')[0]!) as Notify
    expect(differences(shape(ours), shape(theirs)).filter((line) => !line.includes('.NetInfo.MappingVariesByDestIP'))).toEqual([])
    expect(Object.keys(ours!)).toEqual(Object.keys(theirs))
  })

  test('later lines of the bus', async () => {
    const waiting = lines(0, 1)
    await until(() => api.rig.backend.editPrefs({ RouteAll: !api.rig.backend.views.prefs().RouteAll, RouteAllSet: true }), waiting)
    const theirs = JSON.parse(recorded('watch-ipn-bus-mask4238.ndjson').split('\n')[1]!) as Notify
    const [ours] = await waiting
    expect(Object.keys(ours!)).toEqual(Object.keys(theirs))
  })
})

/** Repeats an act until the promise holds; each turn lets sockets work. */
async function until(act: () => void, promise: Promise<unknown>): Promise<void> {
  let done = false
  void promise.then(() => (done = true))
  while (!done) {
    act()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function lines(mask: number, count: number): Promise<Notify[]> {
  return await new Promise((resolve, reject) => {
    const call = request({ socketPath: api.socketPath, path: `/localapi/v0/watch-ipn-bus?mask=${mask}`, headers: { host: 'local-tailscaled.sock' } }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        const whole = text.split('\n').slice(0, -1)
        if (whole.length < count) return
        resolve(whole.map((line) => JSON.parse(line) as Notify))
        call.destroy()
      })
    })
    call.on('error', reject)
    call.end()
  })
}
