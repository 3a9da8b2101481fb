/**
 * Names with a real Headscale and real tailscaleds: who is asked, by which way, and that nobody else is. Each side has a
 * resolver of its own that writes down what it is asked, and an /etc of its own that names it.
 *
 *   ours   system resolver 127.0.53.1      real   system resolver 127.0.0.1, which is its tunnel address's port 53 too
 */
import { once } from 'node:events'
import { decode, encode } from 'dns-packet'
import type { StringRecordType } from 'dns-packet'
import { afterAll, describe, expect, test } from 'vitest'
import { NameServer } from '../natlab/name-server.ts'
import type { Site } from '../natlab/networks.ts'
import { withOwnEtc } from '../natlab/own-etc.ts'
import { dialVia } from '../support/proxy-client.ts'
import { waitFor } from '../support/wait.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'

/** The first node that joins has the first address. */
const REAL = { ip: '100.64.0.1' } as const
const OURS = '100.64.0.2'
const PATIENT = { withinMs: 30_000, everyMs: 100 }
const MANY = Array.from({ length: 60 }, (_, i) => `198.51.100.${i + 1}`)

const near = new NameServer('127.0.53.1', [], { 'www.example': ['198.51.100.80'], 'both.example': ['198.51.100.81'] })
const far = new NameServer('127.0.0.1', [], { 'db.corp.example': [REAL.ip], 'big.corp.example': MANY, 'both.example': ['198.51.100.82'], 'far.example': [REAL.ip] })
let ours: LabNode
let real: LabNode

interface Lookup {
  readonly ResponseCode: string
  readonly Answers?: readonly { readonly Body: string }[]
  readonly Attempts: readonly { readonly Who: { readonly Addr: string; readonly By: string; readonly Through?: string }; readonly Used: boolean; readonly LatencyMs?: number }[]
  readonly Why: string
}

const lookup = async (...words: string[]): Promise<Lookup> => JSON.parse((await ours.bowline('dns', 'query', ...words, '--json')).stdout) as Lookup
const bodies = (found: Lookup): readonly string[] => (found.Answers ?? []).map(({ Body }) => Body)
const heard = (server: NameServer): readonly string[] => server.questions.map(({ name }) => name)
/** Only root may mount an /etc and bind port 53. */
const suite: typeof labSuite = process.getuid?.() === 0 ? labSuite : (name, ...rest) => describe.skip(`${name} (wants root)`, () => rest[2](() => { throw new Error('skipped') }))

async function askByTcp(node: LabNode, host: string, name: string, type: StringRecordType): Promise<ReturnType<typeof decode>> {
  const socket = await dialVia({ kind: 'socks5', port: node.socksPort }, host, 53)
  const query = encode({ type: 'query', id: 77, flags: 0x100, questions: [{ type, name }] })
  socket.write(Buffer.concat([Buffer.of(query.length >> 8, query.length & 255), query]))
  socket.resume()
  let got = Buffer.alloc(0)
  while (got.length < 2 || got.length < got.readUInt16BE(0) + 2) got = Buffer.concat([got, (await once(socket, 'data'))[0] as Buffer])
  socket.destroy()
  return decode(got.subarray(2))
}

suite('names', {
  relays: 'derper',
  names: {
    split: { 'corp.example': [REAL.ip], 'self.example': [OURS, '100.100.100.100'] },
    search: ['corp.example'],
    records: [{ name: 'grafana.lab.internal', type: 'A', value: REAL.ip }, { name: 'wiki.example', type: 'A', value: REAL.ip }],
  },
}, async (lab) => {
  await Promise.all([near.start(), far.start()])
  const etc = (host: string, resolver: string): readonly string[] => withOwnEtc({ host, prefix: [] } as unknown as Site, lab.folder, resolver).prefix
  real = await lab.join('tailscaled', 'real', { prefix: etc('real', far.address) })
  ours = await lab.join('bowline', 'ours', { prefix: etc('ours', near.address) })
  await real.api.patchPrefs({ AdvertiseRoutesSet: true, AdvertiseRoutes: ['0.0.0.0/0', '::/0'] })
  await ours.api.patchPrefs({ AdvertiseRoutesSet: true, AdvertiseRoutes: ['0.0.0.0/0', '::/0'] })
  for (const node of [real, ours]) {
    const { id } = await lab.headscale.node(node.name)
    await waitFor(`${node.name} to be approved`, async () => {
      await lab.headscale.approveRoutes(id, ['0.0.0.0/0', '::/0'])
      return true
    }, PATIENT)
  }
  await ours.waitUsable(real)
}, (lab) => {
  afterAll(() => Promise.all([near.stop(), far.stop()]))

  test('of devices and of the server are answered here, forwards and backwards', async () => {
    expect(await lookup('real')).toMatchObject({ ResponseCode: 'RCodeSuccess', Answers: [{ Body: REAL.ip }], Attempts: [{ Who: { By: 'here' } }] })
    for (const name of ['grafana.lab.internal', 'wiki.example']) expect(bodies(await lookup(name)), name).toEqual([REAL.ip])
    expect(bodies(await lookup(REAL.ip))).toEqual(['real.lab.internal'])
    expect(await lookup('nobody.lab.internal')).toMatchObject({ ResponseCode: 'RCodeNameError' })
    expect(await lab().transfer('get', { kind: 'socks5', port: ours.socksPort }, 'wiki.example', 1_000)).toMatchObject({ bytes: 1_000 })
    expect([...heard(near), ...heard(far)]).toEqual([])
  })

  test('of a split zone are asked of its resolver through the tunnel, large answers by TCP, and a proxy connects to them', async () => {
    const found = await lookup('db.corp.example')
    expect(found).toMatchObject({ Answers: [{ Body: REAL.ip }], Attempts: [{ Who: { Addr: REAL.ip, By: 'tunnel', Through: 'real' }, Used: true, LatencyMs: expect.any(Number) }] })
    expect(bodies(await lookup('db'))).toEqual([REAL.ip])
    expect(bodies(await lookup('big.corp.example')).toSorted()).toEqual(MANY.toSorted())
    expect(await lab().transfer('get', { kind: 'socks5', port: ours.socksPort }, 'db.corp.example', 1_000)).toMatchObject({ bytes: 1_000 })
    expect(heard(far)).toContain('db.corp.example')
    expect(heard(near)).toEqual([])
  })

  test('whose resolver is ourselves are asked of nobody, with a sentence', async () => {
    const answer = await ours.bowline('dns', 'query', 'a.self.example')
    expect(answer).toMatchObject({ code: 1, stdout: expect.stringContaining('that is this device itself') })
  })

  test('of the world are asked of the system, and official and own commands say so', async () => {
    expect(await lookup('www.example')).toMatchObject({ Answers: [{ Body: '198.51.100.80' }], Attempts: [{ Who: { Addr: near.address, By: 'system' }, Used: true }] })
    expect((await ours.tailscale('dns', 'query', 'both.example')).stdout).toMatch(/198\.51\.100\.81/)
    const status = (await ours.bowline('dns', 'status')).stdout
    for (const line of [/Names in corp\.example +100\.64\.0\.1 through real/, /Names in self\.example +100\.64\.0\.2 not asked: that is this device itself/, /All other names +127\.0\.53\.1 by this computer's network/]) expect(status).toMatch(line)
    expect(heard(near)).toEqual(expect.arrayContaining(['www.example', 'both.example']))
  })

  test.each(['100.100.100.100', 'fd7a:115c:a1e0::53'])('are answered to programs that ask %s by the proxy', async (host) => {
    expect((await askByTcp(ours, host, 'real.lab.internal', 'A')).answers).toMatchObject([{ data: REAL.ip }])
    expect((await askByTcp(ours, host, 'db.corp.example', 'A')).answers).toMatchObject([{ data: REAL.ip }])
    expect(await askByTcp(ours, host, 'nobody.lab.internal', 'A')).toMatchObject({ rcode: 'NXDOMAIN' })
  })

  test('are asked of the exit node while one is chosen, and nobody here hears one', async () => {
    await ours.api.patchPrefs({ AdvertiseRoutesSet: true, AdvertiseRoutes: [] })
    await ours.api.patchPrefs({ ExitNodeIDSet: true, ExitNodeID: (await ours.peer('real'))!.ID })
    try {
      const before = heard(near).length
      const found = await waitFor('the exit node to answer names', async () => {
        const one = await lookup('both.example')
        return one.Attempts[0]?.Who.By === 'exit-node' && one.ResponseCode === 'RCodeSuccess' ? one : undefined
      }, PATIENT)
      expect(found).toMatchObject({ Answers: [{ Body: '198.51.100.82' }], Attempts: [{ Who: { By: 'exit-node', Through: 'real' }, Used: true }] })
      expect((await ours.tailscale('dns', 'query', 'far.example')).stdout).toContain(REAL.ip)
      expect(await lab().transfer('get', { kind: 'http', port: ours.httpPort }, 'far.example', 1_000)).toMatchObject({ bytes: 1_000 })
      expect((await askByTcp(ours, '100.100.100.100', 'both.example', 'A')).answers).toMatchObject([{ data: '198.51.100.82' }])
      expect((await ours.bowline('dns', 'status')).stdout).toMatch(/All other names +http:\/\/100\.64\.0\.1:\d+\/dns-query by the exit node real/)
      expect(heard(near).slice(before)).toEqual([])
    } finally {
      await ours.api.patchPrefs({ ExitNodeIDSet: true, ExitNodeID: '' })
      await ours.api.patchPrefs({ AdvertiseRoutesSet: true, AdvertiseRoutes: ['0.0.0.0/0', '::/0'] })
    }
  })

  test('are looked up here for a tailscaled that uses us as exit node', async () => {
    await waitFor('the tailscaled to know that we look names up', async () => ((await real.peer('ours'))?.ExitNodeOption === true ? true : undefined), PATIENT)
    expect(await real.tailscale('set', '--advertise-exit-node=false')).toMatchObject({ code: 0 })
    await waitFor('the tailscaled to take us as exit node', async () => ((await real.tailscale('set', '--exit-node=ours')).code === 0 ? true : undefined), PATIENT)
    try {
      await waitFor('our system to be asked for a name by the tailscaled', async () => {
        const answer = await real.tailscale('dns', 'query', '--json', 'www.example')
        return answer.stdout.includes('198.51.100.80') ? true : undefined
      }, PATIENT)
      expect(heard(near)).toContain('www.example')
    } finally {
      await real.tailscale('set', '--exit-node=')
    }
  })

  test('are refused to a device that may not use us as exit node', async () => {
    const port = 46_590
    const get = async (path: string): Promise<string> => {
      const socket = await dialVia({ kind: 'socks5', port: real.socksPort }, OURS, port)
      socket.write(`GET ${path} HTTP/1.1\r\nHost: peer\r\nConnection: close\r\n\r\n`)
      let got = ''
      for await (const chunk of socket as AsyncIterable<Buffer>) got += chunk.toString()
      return got
    }
    expect(await get('/dns-query?q=www.example')).toMatch(/^HTTP\/1\.1 200[\s\S]*\["198\.51\.100\.80"\]/)
    expect(await get('/dns-query')).toMatch(/^HTTP\/1\.1 400/)
  })
})
