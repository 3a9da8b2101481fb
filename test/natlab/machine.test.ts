/**
 * The whole computer on the network, for real: our engine as root with a host, an /etc and a /run of its own, ordinary programs that know
 * nothing of it, and a tailscaled at the other end. Whatever way it ends, the host is as it was.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { MachinePage } from '../../main/localapi/machine.ts'
import type { LabNode } from '../interop/lab/node.ts'
import { requirePeers } from '../interop/lab/peers.ts'
import { Child, run, runOk } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import { NatLab, PUBLIC_SERVER } from './nat-lab.ts'
import { withOwnEtc } from './own-etc.ts'
import type { OwnFiles } from './own-etc.ts'

const PATIENT = { withinMs: 60_000, everyMs: 100 }
const WEB = 8_000

let lab: NatLab
let site: OwnFiles
let node: LabNode
let peer: LabNode
let web: Child
let before: string

/** All that a whole computer could leave behind: rules, routes, links, firewall, names. */
async function look(): Promise<string> {
  const parts = await Promise.all([
    ...['-4', '-6'].flatMap((family) => [runOk('ip', [family, 'rule'], site), runOk('ip', [family, 'route', 'show', 'table', 'all'], site)]),
    runOk('ip', ['-br', 'link'], site), runOk('nft', ['list', 'ruleset'], site), runOk('sysctl', ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding', 'net.ipv4.conf.all.rp_filter', 'net.ipv4.conf.all.src_valid_mark'], site),
  ])
  return [...parts.map((part) => (typeof part === 'string' ? part : JSON.stringify(part))), readFileSync(join(site.etc, 'resolv.conf'), 'utf8')].join('\n-----\n')
}

async function page(): Promise<MachinePage> {
  const { stdout } = await node.bowline('machine', '--json')
  return JSON.parse(stdout) as MachinePage
}

/** An ordinary program of the host; its exit code says whether it got there. */
const plainly = (program: string, ...words: string[]): Promise<{ code: number | null | undefined; stdout: string; stderr: string }> => run(program, words, { prefix: site.prefix, timeoutMs: 20_000 })

async function reaches(host: string): Promise<void> {
  await waitFor(`curl to get a page of ${host}`, async () => {
    const { code, stdout, stderr } = await plainly('curl', '-sS', '--noproxy', '*', '--max-time', '5', `http://${host.includes(':') ? `[${host}]` : host}:${WEB}/hello`)
    if (code !== 0 || stdout !== 'hello from the peer\n') throw new Error(`${String(code)} ${stdout}${stderr}`)
    return true
  }, PATIENT)
}

const clean = (): Promise<boolean> => waitFor('the host to be as it was', async () => {
  expect(await look()).toBe(before)
  return true
}, PATIENT)

beforeAll(async () => {
  lab = new NatLab(requirePeers())
  await lab.start()
  site = withOwnEtc(await lab.networks.add('easy'), lab.folder, PUBLIC_SERVER.address)
  before = await look()
  node = await lab.join('bowline', 'whole', site, { args: ['--tun=bowline0'], words: ['--accept-routes'] })
  const there = await lab.networks.add('easy')
  peer = await lab.join('tailscaled', 'peer', there, { args: ['--tun=bwl0'], words: ['--accept-dns=false'] })
  web = new Child({ name: 'web', command: process.execPath, args: ['-e', `require('http').createServer((q, a) => a.end('hello from the peer\\n')).listen(${WEB}, '::')`], prefix: there.prefix })
}, 180_000)
afterAll(async () => {
  await web.stop()
  await lab.stop()
}, 120_000)
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(lab.logs())
})

describe('every program of the computer', () => {
  test('reaches a peer by ping and by curl, in both families', async () => {
    await waitFor('the whole computer to be on', async () => (await page()).State === 'on', PATIENT)
    const { v4, v6 } = await peer.ips()
    await node.waitUsable(peer)
    await reaches(v4)
    await reaches(v6)
    for (const ip of [v4, v6]) expect((await plainly('ping', '-c', '2', '-W', '5', ip)).code).toBe(0)
  })
})

describe('nothing is left behind', () => {
  test('after going back to programs alone, with the same device', async () => {
    const key = (await node.api.status()).Self?.PublicKey
    expect((await node.bowline('machine', 'apps')).code).toBe(0)
    await clean()
    const { Self } = await node.api.status()
    expect(Self?.PublicKey).toBe(key)
    expect((await node.bowline('machine', 'whole')).code).toBe(0)
    expect((await page()).State).toBe('on')
    await reaches((await peer.ips()).v4)
  })
})
