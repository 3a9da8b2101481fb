/**
 * Exit nodes in the real world: what the world sees of a client, and what leaves its host beside the tunnel. The client is
 * ours in userspace mode, the exit nodes are tailscaleds.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { LabNode } from '../interop/lab/node.ts'
import type { ExitProof } from '../../main/localapi/exit-nodes.ts'
import { Child, run, runOk } from '../support/child.ts'
import { pause, waitFor } from '../support/wait.ts'
import { EgressLab, MIRROR, PORT, WEB_PORT, type Guarded, type Place } from './egress-lab.ts'
import type { Attempt, Outcome } from './visitor.ts'

const PATIENT = { withinMs: 60_000, everyMs: 200 }
const lab = new EgressLab()
let client: Guarded
let home: Place
let printer: Place
const exits: { node: LabNode; place: Place }[] = []

beforeAll(async () => {
  await lab.start()
  home = await lab.place({ 'home-only.example': [MIRROR.v4] })
  for (const name of ['exit-a', 'exit-b']) {
    const place = await lab.place({ 'exit-only.example': [MIRROR.v4] })
    exits.push({ place, node: await lab.exitNode('tailscaled', name, place) })
  }
  client = await lab.guarded('client', home)
  printer = await lab.beside(home)
  lab.startMirror('printer', printer.site.prefix)
  for (const { node } of exits) await client.node.waitUsable(node)
}, 120_000)
afterAll(() => lab.stop(), 120_000)
beforeEach(() => choose(undefined))
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(lab.logs())
})

/** Every way out, to the mirror by address in both families. */
const BY_ADDRESS: readonly Attempt[] = [
  { how: 'tcp', host: MIRROR.v4, port: PORT },
  { how: 'tcp', host: MIRROR.v6, port: PORT },
  { how: 'udp', host: MIRROR.v4, port: PORT },
  { how: 'udp', host: MIRROR.v6, port: PORT },
  { how: 'connect', host: MIRROR.v4, port: PORT },
  { how: 'http', host: MIRROR.v4, port: WEB_PORT },
  { how: 'http', host: MIRROR.v6, port: WEB_PORT },
]

/** By name too: whoever is asked for the name may leak it. */
const ALL: readonly Attempt[] = [...BY_ADDRESS, { how: 'tcp', host: MIRROR.name, port: PORT }, { how: 'udp', host: MIRROR.name, port: PORT }, { how: 'connect', host: MIRROR.name, port: PORT }, { how: 'http', host: MIRROR.name, port: WEB_PORT }]

async function choose(node: LabNode | undefined, prefs: Record<string, unknown> = {}): Promise<void> {
  const id = node === undefined ? '' : (await client.node.peer(node.name))?.ID
  await client.node.api.patchPrefs({ ExitNodeIDSet: true, ExitNodeID: id, ExitNodeIPSet: true, ExitNodeIP: '', AutoExitNodeSet: true, AutoExitNode: '', ExitNodeAllowLANAccessSet: true, ExitNodeAllowLANAccess: false, ...prefs })
}

const worldSees = ({ v6, site }: Place, { host }: Attempt): string => (host.includes(':') ? v6 : site.address)

/** Waits until the world sees the client as if it were at a place. */
async function waitSeenAt(place: Place): Promise<void> {
  await waitFor(`the world to see ${place.site.address}`, async () => {
    const [one] = await lab.visit(client.node, BY_ADDRESS.slice(0, 1))
    if (one?.saw !== place.site.address) throw new Error(JSON.stringify(one))
    return true
  }, PATIENT)
}

interface ExitNodesPage {
  readonly Egress: { readonly Kind: string; readonly Name?: string; readonly Why?: string }
}

const egressOf = async (node: LabNode): Promise<ExitNodesPage['Egress']> => (JSON.parse((await node.api.call('GET', 'bowline/exit-nodes')).text) as ExitNodesPage).Egress

/** Waits until the client says that nothing goes out, and why. */
function waitBlocked(why: RegExp): Promise<boolean> {
  return waitFor(`to be blocked: ${why.source}`, async () => {
    const egress = await egressOf(client.node)
    if (egress.Kind !== 'blocked' || !why.test(egress.Why ?? '')) throw new Error(JSON.stringify(egress))
    return true
  }, PATIENT)
}

/** Waits until the client says that it goes out by a device, or past it. */
function waitEgress(kind: string, name: string): Promise<boolean> {
  return waitFor(`the way out to be ${kind} ${name}`, async () => {
    const egress = await egressOf(client.node)
    if (egress.Kind !== kind || egress.Name !== name) throw new Error(JSON.stringify(egress))
    return true
  }, PATIENT)
}

/** What attempts came to while something was done: nothing but the tunnel's own left the host meanwhile. */
async function withoutALeak(act: () => Promise<unknown>, attempts: readonly Attempt[] = ALL): Promise<Outcome[]> {
  const mark = await client.recorder.mark()
  const asked = home.resolver.questions.length
  const visitor = lab.keepVisiting(client.node, attempts)
  try {
    await act()
  } finally {
    await visitor.stop()
  }
  expect(lab.strays(await client.recorder.since(mark))).toEqual([])
  expect(home.resolver.questions.slice(asked)).toEqual([])
  return visitor.outcomes
}

/** Nothing came through, and where a proxy can say why, it said so. */
function expectRefused(outcomes: readonly Outcome[], why: RegExp): void {
  expect(outcomes.filter(({ saw }) => saw !== undefined)).toEqual([])
  const said = outcomes.filter(({ how }) => how === 'http').map(({ failed }) => failed)
  expect(said.length).toBeGreaterThan(0)
  expect(said.filter((text) => !why.test(text ?? ''))).toEqual([])
}

test('without an exit node the world sees the client itself, and the record shows it', async () => {
  const mark = await client.recorder.mark()
  for (const outcome of await lab.visit(client.node, BY_ADDRESS)) expect(outcome).toMatchObject({ saw: worldSees(home, outcome) })
  const left = lab.strays(await client.recorder.since(mark))
  for (const to of [`${MIRROR.v4} port ${PORT}`, `${MIRROR.v6} port ${PORT}`]) expect(left.filter((line) => line.endsWith(to)).map((line) => line.split(' ')[0])).toEqual(expect.arrayContaining(['tcp', 'udp']))
})

test('through an exit node the world sees the exit node, in both families, and nothing leaves beside the tunnel', async () => {
  const { node, place } = exits[0]!
  await choose(node)
  await waitSeenAt(place)
  const mark = await client.recorder.mark()
  const seen = lab.visits.length
  for (const outcome of await lab.visit(client.node, BY_ADDRESS)) expect(outcome).toMatchObject({ saw: worldSees(place, outcome) })
  expect(new Set(lab.visits.slice(seen).map(({ from }) => from))).toEqual(new Set([place.site.address, place.v6]))
  expect(lab.strays(await client.recorder.since(mark))).toEqual([])
})

test('nothing leaves while an exit node is being chosen', async () => {
  const { node, place } = exits[0]!
  const mark = await client.recorder.mark()
  const asked = home.resolver.questions.length
  await choose(node)
  const visitor = lab.keepVisiting(client.node, ALL)
  await waitSeenAt(place)
  await visitor.stop()
  expect(lab.strays(await client.recorder.since(mark))).toEqual([])
  expect(home.resolver.questions.slice(asked)).toEqual([])
})

test.each(['term', 'kill'] as const)('nothing leaves while the engine stops (%s) and starts again', async (how) => {
  const { node, place } = exits[0]!
  await choose(node)
  await waitSeenAt(place)
  const outcomes = await withoutALeak(async () => {
    await client.node.stop(how)
    await client.node.start()
    await waitSeenAt(place)
  })
  expect(new Set(outcomes.map(({ saw }) => saw).filter(Boolean))).toEqual(new Set([place.site.address, place.v6]))
})

test('nothing leaves while the engine starts without its server', async () => {
  const { node, place } = exits[0]!
  await choose(node)
  await waitSeenAt(place)
  await client.node.stop()
  await lab.nat.headscale.stop()
  try {
    await withoutALeak(async () => {
      await client.node.start()
      await waitSeenAt(place)
    })
  } finally {
    await lab.nat.headscale.resume()
  }
})

test('nothing leaves while one exit node is exchanged for another', async () => {
  await choose(exits[0]!.node)
  await waitSeenAt(exits[0]!.place)
  const outcomes = await withoutALeak(async () => {
    for (const { node, place } of exits.toReversed()) {
      await choose(node)
      await waitSeenAt(place)
    }
  })
  const known = exits.flatMap(({ place }) => [place.site.address, place.v6])
  expect(outcomes.filter(({ saw }) => saw !== undefined && !known.includes(saw))).toEqual([])
})

test('an exit node that dies blocks what goes out, says so, and carries again when it is back', async () => {
  const { node, place } = exits[0]!
  await choose(node)
  await waitSeenAt(place)
  await withoutALeak(async () => {
    await node.stop('kill')
    await waitBlocked(/exit-a/)
    expectRefused(await lab.visit(client.node, ALL), /exit-a/)
    await node.start()
    await waitSeenAt(place)
  })
})

test('an exit node without IPv6 takes no IPv6 out, and nobody else does', async () => {
  const node = await lab.nat.join('tailscaled', 'exit-4', 'easy')
  await lab.offer(node, ['0.0.0.0/0', '::/0'])
  await client.node.waitUsable(node)
  await choose(node)
  await withoutALeak(async () => {
    await waitFor('IPv4 to be carried', async () => (await lab.visit(client.node, BY_ADDRESS.slice(0, 1)))[0]?.saw !== undefined, PATIENT)
    const outcomes = await lab.visit(client.node, BY_ADDRESS)
    expect(outcomes.filter(({ host, saw }) => host.includes(':') !== (saw === undefined))).toEqual([])
  })
  // It is near, and would be the next choice of the engine.
  await lab.nat.headscale.approveRoutes((await lab.nat.headscale.node(node.name)).id, [])
  await waitFor('it to be no exit node any more', async () => (await client.node.peer(node.name))?.ExitNodeOption === false, PATIENT)
})

test('an approval that is withdrawn on the server blocks what goes out', async () => {
  const { node, place } = exits[0]!
  await choose(node)
  await waitSeenAt(place)
  const { id } = await lab.nat.headscale.node(node.name)
  await withoutALeak(async () => {
    await lab.nat.headscale.approveRoutes(id, [])
    await waitBlocked(/not approved/)
    expectRefused(await lab.visit(client.node, ALL), /not approved/)
    await lab.nat.headscale.approveRoutes(id, ['0.0.0.0/0', '::/0'])
    await waitSeenAt(place)
  })
})

test.each([
  ['an address that no device has', { ExitNodeIDSet: true, ExitNodeID: '', ExitNodeIPSet: true, ExitNodeIP: '100.64.0.99' }, /100\.64\.0\.99/],
  ['a device that is not in the network', { ExitNodeIDSet: true, ExitNodeID: 'nGone' }, /not in this network/],
  ['a device that is no exit node', { ExitNodeIDSet: true, ExitNodeID: 'own' }, /exit node/],
])('%s as exit node lets nothing out, over a start too', async (_, prefs, why) => {
  const own = (await client.node.api.status()).Self.ID
  const wanted = { ...prefs, ...(prefs.ExitNodeID === 'own' ? { ExitNodeID: own } : {}) }
  const reply = await client.node.api.call('PATCH', 'prefs', wanted)
  if (reply.status >= 300) return expect(reply.text).toMatch(why)
  await withoutALeak(async () => {
    await waitBlocked(why)
    expectRefused(await lab.visit(client.node, ALL), why)
    await client.node.stop()
    await client.node.start()
    expectRefused(await lab.visit(client.node, ALL), /./)
    await waitBlocked(why)
  })
})

const PRINTING = (): readonly Attempt[] => [
  { how: 'tcp', host: printer.v4, port: PORT },
  { how: 'tcp', host: printer.v6, port: PORT },
  { how: 'udp', host: printer.v4, port: PORT },
  { how: 'connect', host: printer.v6, port: PORT },
  { how: 'http', host: printer.v4, port: WEB_PORT },
]

test('the printer beside is out of reach with an exit node, unless local access is allowed; the rest goes out by the exit node all the same', async () => {
  const { node, place } = exits[0]!
  await choose(node)
  await waitSeenAt(place)
  await withoutALeak(async () => expectRefused(await lab.visit(client.node, PRINTING()), /local network/), PRINTING())
  await choose(node, { ExitNodeAllowLANAccess: true })
  const mark = await client.recorder.mark()
  for (const outcome of await lab.visit(client.node, PRINTING())) expect(outcome).toMatchObject({ saw: outcome.host.includes(':') ? home.v6 : home.v4 })
  for (const outcome of await lab.visit(client.node, BY_ADDRESS)) expect(outcome).toMatchObject({ saw: worldSees(place, outcome) })
  const left = lab.strays(await client.recorder.since(mark))
  expect(left.filter((line) => !line.includes(`→ ${printer.v4} `) && !line.includes(`→ ${printer.v6} `))).toEqual([])
})

test('names are asked of the exit node, and the resolver at home hears nothing', async () => {
  const { node, place } = exits[0]!
  await choose(node)
  await waitSeenAt(place)
  const asked = place.resolver.questions.length
  const names: readonly Attempt[] = [...ALL.filter(({ host }) => host === MIRROR.name), { how: 'tcp', host: 'exit-only.example', port: PORT }, { how: 'http', host: 'exit-only.example', port: WEB_PORT }]
  const outcomes = await withoutALeak(async () => {
    for (const outcome of await lab.visit(client.node, names)) expect([place.site.address, place.v6]).toContain(outcome.saw)
    const [unknown] = await lab.visit(client.node, [{ how: 'http', host: 'home-only.example', port: WEB_PORT }])
    expect(unknown?.saw).toBeUndefined()
  }, names)
  expect(outcomes.length).toBeGreaterThan(0)
  expect(new Set(place.resolver.questions.slice(asked).map(({ name }) => name))).toEqual(new Set([MIRROR.name, 'exit-only.example', 'home-only.example']))
})

test('the proofs of an exit node say where the world sees us, and count what went there', async () => {
  const { node, place } = exits[1]!
  await choose(node)
  await waitSeenAt(place)
  const proofs = await waitFor('proofs in both families', async () => {
    await client.node.api.call('POST', 'bowline/exit-nodes', { Do: 'check' })
    const { Proofs } = JSON.parse((await client.node.api.call('GET', 'bowline/exit-nodes')).text) as { readonly Proofs: readonly ExitProof[] }
    if (Proofs.filter(({ Ok }) => Ok === true).length < 3) throw new Error(JSON.stringify(Proofs))
    return Proofs
  }, PATIENT)
  const value = (what: string): string => proofs.find(({ What }) => What === what)?.Value ?? ''
  expect(value('ipv4')).toContain(place.site.address)
  expect(value('ipv6')).toContain(place.v6)
  expect(value('leak')).toMatch(/^[1-9]\d* connections of the proxies through it, none past it/)
})

test('connections that are open when an exit node is chosen do not go on past it', async () => {
  const staying: readonly Attempt[] = [{ how: 'stay', host: MIRROR.v4, port: PORT + 1 }, { how: 'stay', host: MIRROR.v6, port: PORT + 1 }, { how: 'stay-udp', host: MIRROR.v4, port: PORT }, { how: 'stay-udp', host: MIRROR.v6, port: PORT }]
  const seen = lab.visits.length
  const ended = lab.visit(client.node, staying, 20_000)
  await waitFor('all of them to be there', () => (['tcp', 'udp'] as const).every((how) => [home.site.address, home.v6].every((from) => lab.visits.slice(seen).some((visit) => visit.how === how && visit.from === from))), PATIENT)
  await choose(exits[0]!.node)
  const mark = await client.recorder.mark()
  await waitSeenAt(exits[0]!.place)
  await ended
  const left = (await client.recorder.since(mark)).filter(({ isEmpty }) => !isEmpty)
  expect(lab.strays(left)).toEqual([])
})

test('no spelling of an address goes past the exit node', async () => {
  await choose(exits[0]!.node)
  await waitSeenAt(exits[0]!.place)
  const decimal = (address: string): string => String(address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0))
  const spellings = [MIRROR.v4, printer.v4, home.resolver.address].flatMap((address) => [decimal(address), `::ffff:${address}`, `64:ff9b::${address}`, address.replace('.', '.0'), `${address}.`, `0x${Number(decimal(address)).toString(16)}`])
  const others = ['169.254.169.254', '224.0.0.251', '255.255.255.255', printer.v4.replace(/\d+$/, '255'), 'fe80::1', 'fe80::1%eth0', 'ff02::fb', 'printer.local', 'wpad', 'home-only.example', 'nobody.lab.internal', '_ldap._tcp.lab.internal', '5.1.0.10.in-addr.arpa', 'x'.repeat(80)]
  const attempts = [...spellings, ...others].flatMap((host): Attempt[] => [{ how: 'connect', host, port: PORT }, { how: 'http', host, port: WEB_PORT }, ...(host.includes('%') || host.length > 60 || (host.includes(':') && host.includes('.')) ? [] : [{ how: 'tcp', host, port: PORT } as const, { how: 'udp', host, port: PORT } as const])])
  const mark = await client.recorder.mark()
  const asked = home.resolver.questions.length
  const outcomes = await lab.visit(client.node, attempts, 6_000)
  expect(outcomes.length).toBe(attempts.length)
  expect(lab.strays(await client.recorder.since(mark))).toEqual([])
  expect(home.resolver.questions.slice(asked)).toEqual([])
  const places = [exits[0]!.place.site.address, exits[0]!.place.v6]
  expect(outcomes.filter(({ saw }) => saw !== undefined && !places.includes(saw))).toEqual([])
})

test('the network\'s own resolver asks by the exit node too, and no name of the network is asked of anybody', async () => {
  const { node, place } = exits[0]!
  const lost: Attempt = { how: 'dns', host: 'lost.lab.internal', port: 53 }
  const asked = home.resolver.questions.length
  expect((await lab.visit(client.node, [lost]))[0]?.failed).toBe('NXDOMAIN')
  await choose(node)
  await waitSeenAt(place)
  const outcomes = await withoutALeak(async () => {
    expect((await lab.visit(client.node, [{ how: 'dns', host: 'exit-only.example', port: 53 }]))[0]?.saw).toBe(MIRROR.v4)
    expect((await lab.visit(client.node, [lost]))[0]?.failed).toBe('NXDOMAIN')
    expect((await client.node.bowline('dns', 'query', 'exit-only.example')).stdout).toContain(MIRROR.v4)
    expect((await client.node.tailscale('dns', 'query', 'exit-only.example')).stdout).toContain(MIRROR.v4)
  }, [{ how: 'dns', host: MIRROR.name, port: 53 }])
  expect(outcomes.filter(({ saw }) => saw !== MIRROR.v4)).toEqual([])
  for (const { resolver } of [home, place]) expect(resolver.asked(lost.host)).toEqual([])
  expect(home.resolver.questions.slice(asked)).toEqual([])
})

test('a forward to the world goes by the exit node, and nowhere while there is none', async () => {
  const { node, place } = exits[0]!
  const added = await client.node.bowline('forward', 'add', '0', `${MIRROR.name}:${PORT}`, '--json')
  const { Listen, ID } = JSON.parse(added.stdout) as { Listen: string; ID: string }
  const local: Attempt = { how: 'tcp', host: '127.0.0.1', port: Number(Listen.split(':').at(-1)) }
  await choose(node)
  await waitSeenAt(place)
  await withoutALeak(async () => {
    expect((await lab.visitPlainly(home, [local]))[0]?.saw).toBe(place.site.address)
    await node.stop('kill')
    await waitBlocked(/exit-a/)
    expect((await lab.visitPlainly(home, [local]))[0]?.saw).toBeUndefined()
    await node.start()
    await waitSeenAt(place)
  })
  await client.node.bowline('forward', 'remove', ID)
})

test.each([
  ['dies', 'SIGKILL'],
  ['freezes', 'SIGSTOP'],
] as const)('with an automatic choice the other one takes over when the exit node %s, and says why', async (_, signal) => {
  expect((await client.node.bowline('exit-node', 'use', 'auto')).code).toBe(0)
  const name = await waitFor('a choice', async () => {
    const egress = await egressOf(client.node)
    return egress.Kind === 'exit' ? egress.Name : undefined
  }, PATIENT)
  const [used, other] = name === exits[0]!.node.name ? [exits[0]!, exits[1]!] : [exits[1]!, exits[0]!]
  await waitSeenAt(used.place)
  let atMs = 0
  const outcomes = await withoutALeak(async () => {
    atMs = Date.now()
    used.node.child.signal(signal)
    await waitSeenAt(other.place)
    expect(await egressOf(client.node)).toMatchObject({ Kind: 'exit', Name: other.node.name, Why: expect.stringContaining(name) as unknown })
  })
  const known = [used, other].flatMap(({ place }) => [place.site.address, place.v6])
  expect(outcomes.filter(({ saw }) => saw !== undefined && !known.includes(saw))).toEqual([])
  const first = outcomes.find(({ saw, endedMs }) => saw === other.place.site.address && endedMs > atMs)
  console.log(`the exit node ${signal === 'SIGKILL' ? 'died' : 'froze'}: by the other one after ${(first?.endedMs ?? NaN) - atMs} ms`)
  if (signal === 'SIGSTOP') used.node.child.signal('SIGCONT')
  else await used.node.stop().then(() => used.node.start())
  await used.node.waitState('Running', 30_000)
  await client.node.waitUsable(used.node)
})

test('disconnected by hand it is as without Bowline, and from the moment of connecting on nothing leaves', async () => {
  const { node, place } = exits[0]!
  await choose(node)
  await waitSeenAt(place)
  await client.node.bowline('down')
  expect((await lab.visit(client.node, BY_ADDRESS.slice(0, 1)))[0]).toMatchObject({ saw: home.site.address })
  await client.node.api.patchPrefs({ WantRunningSet: true, WantRunning: true })
  await withoutALeak(() => waitSeenAt(place))
})

test('without the server, without relays and without UDP nothing leaves either', async () => {
  const { node, place } = exits[0]!
  await choose(node)
  await waitSeenAt(place)
  const router = ['ip', 'netns', 'exec', home.site.router!]
  await withoutALeak(async () => {
    await runOk('nft', ['table inet deaf { chain held { type filter hook forward priority -10; meta l4proto udp drop; }; }'], { prefix: router })
    try {
      await waitSeenAt(place)
      await lab.nat.headscale.stop('kill')
      await Promise.all(lab.nat.derpers.map((derper) => derper.stop('kill')))
      await waitBlocked(/exit-a/)
    } finally {
      await lab.nat.headscale.resume()
      await Promise.all(lab.nat.derpers.map((derper) => derper.start(`${lab.nat.headscale.url}/verify`)))
    }
    await waitSeenAt(place)
    await runOk('nft', ['delete table inet deaf'], { prefix: router })
    await waitSeenAt(place)
  })
})

test('a network that comes and goes lets nothing out', async () => {
  const { node, place } = exits[0]!
  await choose(node)
  await waitSeenAt(place)
  await withoutALeak(async () => {
    for (let round = 0; round < 3; round++) {
      await home.site.ip('link', 'set', 'eth0', 'down')
      await pause(1_000)
      await home.site.ip('link', 'set', 'eth0', 'up')
      await home.site.ip('addr', 'replace', `${home.v6}/64`, 'dev', 'eth0', 'nodad')
      await home.site.ip('route', 'replace', 'default', 'via', home.resolver.address)
      await home.site.ip('-6', 'route', 'replace', 'default', 'via', home.v6.replace(/[0-9a-f]+$/, '1'))
      await waitSeenAt(place)
    }
  })
})

test('behind a sign-in page nothing leaves until a person pauses the exit node, and nothing again once the page is gone', async () => {
  const { node, place } = exits[0]!
  await choose(node)
  await waitSeenAt(place)
  const router = ['ip', 'netns', 'exec', home.site.router!]
  const page = 'require("http").createServer((q, s) => s.end("Welcome, guest. Sign in.")).listen(8080)'
  const portal = new Child({ name: 'portal', command: process.execPath, args: ['-e', page], prefix: router })
  const web: Attempt = { how: 'http', host: MIRROR.v4, port: WEB_PORT }
  const warnings = async (): Promise<string> => ((await client.node.api.status()).Health ?? []).join('\n')
  try {
    await withoutALeak(async () => {
      await runOk('nft', [`table inet portal {
        chain caught { type nat hook prerouting priority -100; iifname "lan" meta nfproto ipv4 tcp dport 80 redirect to :8080; }
        chain held { type filter hook forward priority -10; iifname "lan" drop; }
      }`], { prefix: router })
      await client.node.stop()
      await client.node.start()
      await waitFor('the page to be told', async () => (await warnings()).includes('bowline exit-node pause'), PATIENT)
      expect((await lab.visit(client.node, [web]))[0]?.saw).toBeUndefined()
    })
    expect((await client.node.bowline('exit-node', 'pause', '--for=10m')).stdout).toMatch(/past .*exit-a.*for (9|10) ?min/)
    expect((await lab.visit(client.node, [web]))[0]?.saw).toBe('Welcome, guest. Sign in.')
    await runOk('nft', ['delete table inet portal'], { prefix: router })
    await waitEgress('exit', node.name)
    await withoutALeak(() => waitSeenAt(place))
  } finally {
    await run('nft', ['delete table inet portal'], { prefix: router })
    await portal.stop()
  }
})
