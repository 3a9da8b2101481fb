/**
 * Whole computers beside real tailscaleds, in every role: peer, subnet router, exit node, and the client of each; and what a hostile
 * or clumsy neighbourhood does to a whole computer of ours.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ALLOW_ALL } from '../interop/lab/headscale.ts'
import type { MachinePage } from '../../main/localapi/machine.ts'
import type { Result } from '../support/byte-peer.ts'
import { Child, run, runOk } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import { MIRROR, PORT, WEB_PORT, type Place } from './egress-lab.ts'
import { TUN_DEVICE } from './nat-lab.ts'
import { TRAFFIC_PORT, TunNet, type Computer } from './tun-lab.ts'
import type { Attempt, Outcome } from './visitor.ts'

const PATIENT = { withinMs: 60_000, everyMs: 200 }
const IS_THEIRS = process.env['BOWLINE_LAB_ENGINE'] === 'tailscaled'
const bytePeer = fileURLToPath(new URL('../support/byte-peer.ts', import.meta.url))
const LARGE_BYTES = 30_000_000

const lab = new TunNet()
let one: Computer
let two: Computer
let theirs: Computer

beforeAll(async () => {
  await lab.start()
  one = await lab.computer('bowline', 'one')
  two = await lab.computer('bowline', 'two')
  theirs = await lab.computer('tailscaled', 'theirs')
  for (const [site, computer] of [one, two, theirs].entries()) await lab.offer(computer, [via6(site, computer)])
  for (const [from, to] of pairs()) await from.node.waitUsable(to.node)
}, 180_000)
afterAll(() => lab.stop(), 120_000)
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(lab.egress.nat.logs())
})

const pairs = (): readonly (readonly [Computer, Computer])[] => [[one, theirs], [theirs, one], [one, two]]

/** The network of a computer as site so-and-so (4via6): the last 32 bits are the IPv4 address. */
function via6(site: number, { subnet }: Computer): string {
  return `fd7a:115c:a1e0:b1a:0:${(site + 1).toString(16)}:${hex4(subnet.split('/')[0]!)}/120`
}

function hex4(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number)
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
}

const visit = (from: Computer, attempts: readonly Attempt[]): Promise<Outcome[]> => lab.egress.visitPlainly(from.place, attempts, 10_000)

const everyHow = (hosts: readonly string[]): Attempt[] => hosts.flatMap((host) => [{ how: 'tcp' as const, host, port: PORT }, { how: 'udp' as const, host, port: PORT }, { how: 'http' as const, host, port: WEB_PORT }])

/** Resolves once all of it was seen from those addresses, the one of its family. */
async function seenAs(from: Computer, attempts: readonly Attempt[], v4: string, v6: string): Promise<void> {
  await waitFor(`${from.name} to be seen as ${v4}`, async () => {
    const wrong = (await visit(from, attempts)).filter(({ host, saw }) => saw !== (host.includes(':') ? v6 : v4))
    if (wrong.length > 0) throw new Error(JSON.stringify(wrong.map(({ how, host, saw, failed }) => ({ how, host, saw, failed }))))
    return true
  }, PATIENT)
}

async function pageOf({ node }: Computer): Promise<MachinePage> {
  return JSON.parse((await node.api.call('GET', 'bowline/machine')).text) as MachinePage
}

describe.each([['one of ours', 'a tailscaled', 0], ['a tailscaled', 'one of ours', 1], ['one of ours', 'another of ours', 2]] as const)('%s with %s', (_, __, index) => {
  let from: Computer
  let to: Computer
  beforeAll(() => {
    ;[from, to] = pairs()[index]!
  })

  test('every kind of traffic arrives, in both families, from the address of the computer', async () => {
    await seenAs(from, everyHow([to.v4, to.v6]), from.v4, from.v6)
    for (const host of [to.v4, to.v6]) expect(await from.sh(`ping -n -c 2 -W 10 ${host}`)).toMatch(/ 0% packet loss/)
  })

  test('packets pass that are as large as the device carries, and larger ones are refused by the own kernel', async () => {
    expect(await from.sh(`ping -n -c 2 -W 10 -M do -s 1252 ${to.v4}`)).toMatch(/ 0% packet loss/)
    expect(await from.sh(`ping -n -c 2 -W 10 -M do -s 1232 ${to.v6}`)).toMatch(/ 0% packet loss/)
    expect(await from.sh(`ping -n -c 1 -W 5 -M do -s 1253 ${to.v4} 2>&1 || true`)).toMatch(/too long|mtu=1280/)
    expect(await from.sh(`ping -n -c 2 -W 10 -s 8000 ${to.v4}`)).toMatch(/ 0% packet loss/)
  })

  test('a large download and a large upload arrive as they were sent', async () => {
    const server = new Child({ name: 'bytes', command: process.execPath, args: [bytePeer, 'serve', '::', '0'], prefix: to.place.site.prefix })
    try {
      const port = await waitFor('the byte server', () => (server.stdout.includes('\n') ? (JSON.parse(server.stdout) as { port: number }).port : undefined), PATIENT)
      for (const [verb, host] of [['get', to.v4], ['put', to.v6]] as const) {
        const words = [verb, 'none', 0, host, port, LARGE_BYTES, 'hash'].map(String)
        const result = JSON.parse(await runOk(process.execPath, [bytePeer, ...words], { prefix: from.place.site.prefix, timeoutMs: 120_000 })) as Result
        expect(result).toMatchObject({ bytes: LARGE_BYTES, sha256: result.expected })
      }
    } finally {
      await server.stop()
    }
  })

  test('many small packets arrive', async () => {
    const { sent, received } = await lab.traffic<{ sent: number; received: number }>(from, 'udp', to.v4, TRAFFIC_PORT, 36, 2000, 2)
    expect(sent).toBeGreaterThan(1000)
    expect(received).toBeGreaterThan(sent * 0.95)
  })

  test('names are known to the system, by UDP and TCP', async () => {
    await lab.until('the short name', from, `getent ahostsv4 ${to.name} | head -n 1 | cut -d' ' -f1`, to.v4)
    await lab.until('the whole name', from, `getent ahostsv4 ${to.name}.lab.internal | head -n 1 | cut -d' ' -f1`, to.v4)
    await lab.until('the name by TCP', from, `dig +tcp +short +time=5 ${to.name}.lab.internal`, to.v4)
    await lab.until('a name of the world', from, `getent ahostsv4 ${MIRROR.name} | head -n 1 | cut -d' ' -f1`, MIRROR.v4)
    await lab.until('a name of the own network alone', from, `dig +short +time=5 only-at-${from.name}.example`, MIRROR.v4)
  })

  test('a port that nobody has is refused at once', async () => {
    const [shut] = await visit(from, [{ how: 'tcp', host: to.v4, port: 9999 }])
    expect(shut?.failed).toMatch(/ECONNREFUSED/)
  })

  test('the network behind is reached, as the router there', async () => {
    await seenAs(from, everyHow([to.neighbour.v4]), to.place.v4, '')
    expect(await from.sh(`ping -n -c 2 -W 10 ${to.neighbour.v4}`)).toMatch(/ 0% packet loss/)
  })

  test('the network behind is reached by the address of its site (4via6)', async () => {
    const host = `fd7a:115c:a1e0:b1a:0:${([one, two, theirs].indexOf(to) + 1).toString(16)}:${hex4(to.neighbour.v4)}`
    await waitFor('an answer', async () => {
      const outcomes = await visit(from, [{ how: 'tcp', host, port: PORT }, { how: 'http', host, port: WEB_PORT }])
      if (outcomes.some(({ saw }) => saw !== to.place.v4)) throw new Error(JSON.stringify(outcomes))
      return true
    }, PATIENT)
  })

  test('without source NAT the network behind sees the computer itself', async () => {
    await to.neighbour.site.ip('route', 'replace', '100.64.0.0/10', 'via', to.place.v4)
    await to.node.api.patchPrefs({ NoSNATSet: true, NoSNAT: true })
    try {
      await seenAs(from, everyHow([to.neighbour.v4]), from.v4, '')
    } finally {
      await to.node.api.patchPrefs({ NoSNATSet: true, NoSNAT: false })
    }
  })

  test('the world is reached as the exit node, names of its network too', async () => {
    // Nobody is an exit node and uses one.
    await from.node.api.patchPrefs({ AdvertiseRoutesSet: true, AdvertiseRoutes: [from.subnet] })
    await waitFor('the exit node to be chosen', async () => {
      const { code, stderr } = await from.node.tailscale('set', `--exit-node=${to.name}`)
      if (code !== 0) throw new Error(stderr)
      return true
    }, PATIENT)
    try {
      await seenAs(from, everyHow([MIRROR.v4, MIRROR.v6]), to.place.site.address, to.place.v6)
      for (const host of [MIRROR.v4, MIRROR.v6]) expect(await from.sh(`ping -n -c 2 -W 10 ${host}`)).toMatch(/ 0% packet loss/)
      await lab.until('a name there', from, `dig +short +time=5 only-at-${to.name}.example`, MIRROR.v4)
      await lab.until('that name by TCP', from, `dig +tcp +short +time=5 only-at-${to.name}.example`, MIRROR.v4)
      await seenAs(from, everyHow([to.v4]), from.v4, '')
    } finally {
      expect((await from.node.tailscale('set', '--exit-node=')).code).toBe(0)
      await lab.offer(from, [via6([one, two, theirs].indexOf(from), from)])
    }
    await seenAs(from, everyHow([MIRROR.v4, MIRROR.v6]), from.place.site.address, from.place.v6)
  })

  test('a file goes from one to the other', async () => {
    const path = join(lab.egress.nat.folder, `from-${from.name}-${index}.txt`)
    writeFileSync(path, `${from.name} says hello`)
    await waitFor('it to be taken', async () => {
      const { code, stderr } = await from.node.tailscale('file', 'cp', path, `${to.name}:`)
      if (code !== 0) throw new Error(stderr)
      return true
    }, PATIENT)
    expect((await to.node.api.call('GET', `files/from-${from.name}-${index}.txt`)).text).toBe(`${from.name} says hello`)
  })

  test('everything goes on through a relay while UDP is dropped, and directly again afterwards', async () => {
    const router = ['ip', 'netns', 'exec', from.place.site.router!]
    await runOk('nft', ['table inet deaf { chain held { type filter hook forward priority -10; meta l4proto udp drop; }; }'], { prefix: router })
    try {
      await seenAs(from, [{ how: 'tcp', host: to.v4, port: PORT }, { how: 'udp', host: to.v6, port: PORT }], from.v4, from.v6)
    } finally {
      await runOk('nft', ['delete table inet deaf'], { prefix: router })
    }
    await from.node.waitDirect(to.node, 60_000)
  })
})

test('what the policy forbids is refused at once', async () => {
  await lab.egress.nat.headscale.setPolicy({ acls: [{ action: 'accept', src: ['*'], dst: [`*:${PORT},${WEB_PORT}`] }] })
  try {
    // The kernel of a tailscaled's computer is not told.
    for (const [from, to] of pairs().filter(([{ node }]) => node.kind === 'bowline')) {
      await waitFor(`${to.name} to refuse ${from.name}`, async () => {
        const [refused] = await visit(from, [{ how: 'tcp', host: to.v4, port: TRAFFIC_PORT }])
        if (!/ECONNREFUSED/.test(refused?.failed ?? '')) throw new Error(JSON.stringify(refused))
        return true
      }, PATIENT)
      await seenAs(from, [{ how: 'tcp', host: to.v4, port: PORT }], from.v4, '')
    }
  } finally {
    await lab.egress.nat.headscale.setPolicy(ALLOW_ALL)
  }
})

describe.skipIf(IS_THEIRS)('a whole computer of ours', () => {
  const peer = (): Attempt[] => [{ how: 'tcp', host: theirs.v4, port: PORT }, { how: 'udp', host: theirs.v6, port: PORT }]

  test('keeps its printer although somebody offers a network that has its addresses', async () => {
    const printer = everyHow([one.neighbour.v4])
    const wide = one.subnet.replace(/\d+\.\d+\/24$/, '0.0/16')
    await lab.egress.offer(theirs.node, ['0.0.0.0/0', '::/0', theirs.subnet, wide])
    await waitFor('the route to be known', async () => JSON.stringify(await one.node.peer('theirs')).includes(wide), PATIENT)
    await seenAs(one, printer, one.place.v4, '')
    await lab.offer(theirs)
    await seenAs(one, printer, one.place.v4, '')
  })

  test('hears nothing from the LAN that claims an address of the tunnel', async () => {
    const { site } = one.neighbour
    const before = visitsAt(one).length
    await site.ip('addr', 'add', '100.64.0.99/32', 'dev', 'lo')
    await site.ip('route', 'replace', one.v4, 'via', one.place.v4)
    try {
      for (const host of [one.place.v4, one.v4]) {
        await run('curl', ['-sS', '--max-time', '2', '--interface', '100.64.0.99', `http://${host}/`], { prefix: site.prefix })
        await run(process.execPath, ['-e', `const s = require('dgram').createSocket('udp4'); s.bind(0, '100.64.0.99', () => s.send('who', ${PORT}, '${host}', () => s.close()))`], { prefix: site.prefix })
      }
      expect((await runOk('curl', ['-sS', '--max-time', '10', `http://${one.place.v4}/`], { prefix: site.prefix })).trim()).toBe(one.neighbour.v4)
      expect(visitsAt(one).slice(before).filter((line) => line.includes('100.64.0.99'))).toEqual([])
    } finally {
      await site.ip('addr', 'del', '100.64.0.99/32', 'dev', 'lo')
      await site.ip('route', 'del', one.v4)
    }
  })

  test.each([
    ['the tunnel device', `ip link del ${TUN_DEVICE.bowline}`],
    ['the firewall', 'nft flush ruleset'],
    ['the routes', 'ip route flush table 52; ip -6 route flush table 52'],
    ['the rules', 'for p in 5210 5230 5250 5270; do ip rule del pref $p; ip -6 rule del pref $p; done; true'],
  ])('has %s back that others took away', async (_, script) => {
    await one.sh(script)
    await seenAs(one, peer(), one.v4, one.v6)
    await seenAs(one, everyHow([two.neighbour.v4]), two.place.v4, '')
    await seenAs(theirs, everyHow([one.v4, one.neighbour.v4].slice(1)), one.place.v4, '')
  })

  test('goes on serving its network when others switch forwarding off', async () => {
    await one.sh('sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0')
    await seenAs(theirs, everyHow([one.neighbour.v4]), one.place.v4, '')
  })

  test('has names again that others took from resolv.conf', async () => {
    await one.sh(`printf 'nameserver ${one.place.resolver.address}\\n' > /etc/resolv.conf.new && mv /etc/resolv.conf.new /etc/resolv.conf`)
    await lab.until('the name', one, `getent ahostsv4 theirs | head -n 1 | cut -d' ' -f1`, theirs.v4)
  })

  test('keeps what is open by a proxy while it goes from whole to apps and back', async () => {
    const visits = visitsAt(theirs).length
    let isOver = false
    void lab.egress.visit(one.node, [{ how: 'stay', host: theirs.v4, port: PORT + 1 }], 120_000).finally(() => (isOver = true))
    await waitFor('it to be open', () => visitsAt(theirs).length > visits, PATIENT)
    for (const mode of ['apps', 'whole'] as const) {
      const { code, stderr } = await one.node.bowline('machine', mode)
      expect([code, stderr]).toEqual([0, ''])
    }
    await seenAs(one, peer(), one.v4, one.v6)
    expect(isOver).toBe(false)
  })

  test('is not taken by a second engine, which says why', async () => {
    const second = await lab.egress.nat.join('bowline', 'second', one.place.site, {}).then((node) => ({ ...one, node }))
    try {
      await second.node.bowline('machine', 'whole')
      await waitFor('the second to be refused', async () => [(await pageOf(second)).Cannot, (await pageOf(second)).Why].some((why) => why?.Code === 'other-engine'), PATIENT)
      await seenAs(one, peer(), one.v4, one.v6)
    } finally {
      await second.node.stop()
    }
  })

  test('is not taken beside a tailscaled that has it, which is named', async () => {
    const beside = await lab.egress.nat.join('bowline', 'beside', theirs.place.site, {}).then((node) => ({ ...theirs, node }))
    try {
      await beside.node.bowline('machine', 'whole')
      await waitFor('it to be refused', async () => {
        const { Cannot, Why } = await pageOf(beside)
        return [Cannot, Why].some((why) => why?.Code === 'tailscaled-runs' && /tailscaled/.test(why.Text))
      }, PATIENT)
      await seenAs(theirs, [{ how: 'tcp', host: one.v4, port: PORT }], theirs.v4, '')
    } finally {
      await beside.node.stop()
    }
  })

  test('is as before after a crash and the next start, and nothing is left after a clean stop', async () => {
    await two.node.stop('kill')
    await two.node.start()
    await seenAs(two, peer(), two.v4, two.v6)
    await two.node.stop()
    expect(await traces(two.place)).toEqual([])
    await two.node.start()
    await seenAs(two, peer(), two.v4, two.v6)
  })

  test('is cleaned up after a crash by one command', async () => {
    await two.node.stop('kill')
    const { code, stderr } = await two.node.bowline('daemon', '--cleanup')
    expect([code, stderr]).toEqual([0, ''])
    expect(await traces(two.place)).toEqual([])
    await two.node.start()
  })
})

/** Who came to the mirror on a computer, in its own words. */
const visitsAt = ({ mirror }: Computer): string[] => mirror.stdout.split('\n').filter((line) => line !== '')

/** What is left of an engine on a host, in words. */
async function traces({ site }: Place): Promise<string[]> {
  const look = async (script: string): Promise<string[]> => (await runOk('sh', ['-c', script], { prefix: site.prefix })).split('\n').filter((line) => line.trim() !== '')
  return [
    ...(await look('ip rule; ip -6 rule')).filter((line) => /52[1-7]0:|lookup 52\b/.test(line)),
    ...(await look('ip route show table 52 2>/dev/null; ip -6 route show table 52 2>/dev/null; true')),
    ...(await look('ip -o link')).filter((line) => line.includes(TUN_DEVICE.bowline)),
    ...(await look('nft list tables')).filter((line) => line.includes('bowline')),
    ...(await look('cat /etc/resolv.conf')).filter((line) => line.includes('100.100.100.100')),
  ]
}
