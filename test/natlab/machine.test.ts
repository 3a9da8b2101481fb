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
const ECHO = 8_001
const SUBNET = '10.77.0.0/24'

let lab: NatLab
let site: OwnFiles
let node: LabNode
let peer: LabNode
let web: Child
let echo: Child
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
  await runOk('sysctl', ['-qw', 'net.ipv4.ip_forward=1'], there)
  peer = await lab.join('tailscaled', 'peer', there, { args: ['--tun=bwl0'], words: ['--accept-dns=false'] })
  web = new Child({ name: 'web', command: process.execPath, args: ['-e', `require('http').createServer((q, a) => a.end('hello from the peer\\n')).listen(${WEB}, '::')`], prefix: there.prefix })
  echo = new Child({ name: 'echo', command: process.execPath, args: ['-e', `require('net').createServer((one) => one.on('error', () => {}).pipe(one)).listen(${ECHO}, '::')`], prefix: there.prefix })
  await runOk('ip', ['addr', 'add', '10.77.0.1/24', 'dev', 'lo'], there)
}, 180_000)
afterAll(async () => {
  await web.stop()
  await echo.stop()
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

  test('reaches a network behind a peer that was accepted', async () => {
    await peer.tailscale('set', `--advertise-routes=${SUBNET}`)
    const nodes = JSON.parse(await lab.headscale.cli('nodes', 'list', '-o', 'json')) as { id: number; given_name: string }[]
    await lab.headscale.approveRoutes(nodes.find((one) => one.given_name === 'peer')!.id, [SUBNET])
    await reaches('10.77.0.1')
    expect((await page()).Routes).toContain(SUBNET)
  })
})

describe('a flow by a proxy', () => {
  test('goes on across the whole computer, programs alone and the whole computer again', async () => {
    const script = new URL('steady-stream.ts', import.meta.url).pathname
    const stream = new Child({ name: 'stream', command: process.execPath, args: [script, 'run', String(node.socksPort), (await peer.ips()).v4, String(ECHO)], prefix: site.prefix })
    const goesOn = (): Promise<boolean> => {
      const before = stream.log.length
      return waitFor('more to come back', () => stream.log.length > before + 100, PATIENT)
    }
    try {
      await goesOn()
      for (const mode of ['apps', 'whole']) {
        expect((await node.bowline('machine', mode)).code).toBe(0)
        await goesOn()
      }
      stream.signal('SIGTERM')
      const end = await waitFor('the end of the flow', () => /^end (.*)$/m.exec(stream.log)?.[1], PATIENT)
      expect(JSON.parse(end)).toMatchObject({ equal: true })
    } finally {
      await stream.stop()
    }
  })
})

/** Names of the network, and of the internet by the host's own resolver, as programs of the host ask for them. */
const addressOf = async (name: string): Promise<string> => (await plainly('getent', 'ahostsv4', name)).stdout.split(/\s/)[0] ?? ''

describe('names', () => {
  test('of devices are found by every program, whole and by their first label', async () => {
    const { v4 } = await peer.ips()
    const { Self } = await node.api.status()
    const suffix = Self!.DNSName.replace(/\.$/, '').split('.').slice(1).join('.')
    await waitFor('the name of the peer', async () => {
      expect([await addressOf(`peer.${suffix}`), await addressOf('peer')]).toEqual([v4, v4])
      return true
    }, PATIENT)
    expect((await page()).Names).toMatchObject({ Through: 'file', Own: [PUBLIC_SERVER.address] })
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

  test('after down, and all is there again after up', async () => {
    expect((await node.bowline('down')).code).toBe(0)
    await clean()
    expect((await node.bowline('up')).code).toBe(0)
    await reaches((await peer.ips()).v4)
  })

  test('after a clean stop; the next engine goes on as the last one', async () => {
    await node.stop()
    await clean()
    await node.start()
    await reaches((await peer.ips()).v4)
  })

  test('after a crash, by the next engine or by daemon --cleanup', async () => {
    await node.stop('kill')
    expect(await look()).not.toBe(before)
    expect((await node.bowline('daemon', '--cleanup')).code).toBe(0)
    await clean()
    expect((await node.bowline('daemon', '--cleanup')).stdout).toBe('Nothing to clean up.\n')
    await node.start()
    await reaches((await peer.ips()).v4)
    await node.stop('kill')
    await node.start()
    await reaches((await peer.ips()).v4)
    expect((await node.bowline('machine', 'apps')).code).toBe(0)
    await clean()
    expect((await node.bowline('machine', 'whole')).code).toBe(0)
  })
})

describe('what happens to it', () => {
  test('a device that somebody removed is there again, and says so', async () => {
    await runOk('ip', ['link', 'del', 'bowline0'], site)
    await reaches((await peer.ips()).v4)
    expect((await page()).State).toBe('on')
  })

  test('a second engine is refused by name, and the first goes on', async () => {
    const second = await lab.join('bowline', 'second', site)
    const { code, stderr } = await second.bowline('machine', 'whole')
    expect({ code: code === 0, stderr }).toEqual({ code: false, stderr: expect.stringContaining('ngine') as string })
    await second.stop()
    await reaches((await peer.ips()).v4)
  })
})

describe('with an exit node', () => {
  const back = async (): Promise<void> => {
    await node.start()
    await waitFor('the internet by the exit node again', async () => {
      expect((await page()).Internet).toBe('exit')
      expect((await internet()).code).toBe(0)
      return true
    }, PATIENT)
  }
  const internet = (): Promise<{ code: number | null | undefined }> => plainly('ping', '-c', '1', '-W', '2', PUBLIC_SERVER.address)

  test('a crash lets nothing out until the engine is back or somebody cleans up', async () => {
    expect((await internet()).code).toBe(0)
    await peer.tailscale('set', '--advertise-exit-node')
    const nodes = JSON.parse(await lab.headscale.cli('nodes', 'list', '-o', 'json')) as { id: number; given_name: string }[]
    await lab.headscale.approveRoutes(nodes.find((one) => one.given_name === 'peer')!.id, ['0.0.0.0/0', '::/0'])
    await waitFor('the exit node to be taken', async () => {
      const { code, stderr } = await node.tailscale('set', '--exit-node=peer')
      if (code !== 0) throw new Error(stderr)
      return true
    }, PATIENT)
    await waitFor('the internet by the exit node', async () => {
      expect((await page()).Internet).toBe('exit')
      expect((await internet()).code).toBe(0)
      return true
    }, PATIENT)
    await node.stop('kill')
    expect((await internet()).code).not.toBe(0)
    expect((await node.bowline('daemon', '--cleanup', '--hold')).code).toBe(0)
    expect((await internet()).code).not.toBe(0)
    await back()
    // As an update of the service ends it.
    node.child.signal('SIGUSR2')
    expect((await node.child.exited).code).toBe(1)
    await node.stop()
    expect((await internet()).code).not.toBe(0)
    await back()
    expect((await node.tailscale('set', '--exit-node=')).code).toBe(0)
    await waitFor('the internet as before', async () => {
      expect((await page()).Internet).toBe('direct')
      expect((await internet()).code).toBe(0)
      return true
    }, PATIENT)
    await node.stop()
    await clean()
  })
})
