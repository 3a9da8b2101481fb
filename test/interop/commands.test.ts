/**
 * The official `tailscale` command on our socket, and our own command with --json.
 */
import { describe, expect, test } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'
import type { Status } from './lab/local-api.ts'

let ours: LabNode
let real: LabNode

describe('the official command on our socket', () => {
  labSuite(
    'tailscale',
    {},
    async (lab) => {
      ;[ours, real] = await Promise.all([lab.add('bowline', 'ours'), lab.join('tailscaled', 'real')])
    },
    (lab) => {
      test('status of a node that never joined says so', async () => {
        const { code, stdout } = await ours.tailscale('status')
        expect(code).toBe(1)
        expect(stdout).toContain('Logged out')
      })

      test('up with an auth key joins', async () => {
        const key = await lab().headscale.authKey()
        const up = await ours.tailscale('up', `--login-server=${lab().headscale.url}`, `--auth-key=${key}`, '--hostname=ours', '--timeout=30s')
        expect(up).toMatchObject({ code: 0 })
        await Promise.all([ours.waitUsable(real), real.waitUsable(ours)])
      })

      test('status lists the peers, as text and as JSON', async () => {
        const text = await ours.tailscale('status')
        expect(text.code).toBe(0)
        expect(text.stdout).toMatch(/100\.64\.0\.\d+\s+real\s+alice/)
        const json = JSON.parse((await ours.tailscale('status', '--json')).stdout) as Status
        expect(json.BackendState).toBe('Running')
      })

      test('ip prints our addresses and those of a peer', async () => {
        const own = await ours.ips()
        expect((await ours.tailscale('ip')).stdout.trim().split('\n')).toEqual([own.v4, own.v6])
        expect((await ours.tailscale('ip', '-4', 'real')).stdout.trim()).toBe((await real.ips()).v4)
      })

      test.each([[], ['--tsmp'], ['--icmp']])('ping %s is answered', async (...flags) => {
        await ours.waitDirect(real)
        const ping = await ours.tailscale('ping', '-c', '1', '--timeout=5s', ...flags, 'real')
        expect(ping).toMatchObject({ code: 0, stdout: expect.stringContaining('pong from real') })
      })

      test('whois names the peer', async () => {
        const whois = await ours.tailscale('whois', (await real.ips()).v4)
        expect(whois).toMatchObject({ code: 0, stdout: expect.stringContaining('real.lab.internal') })
        expect(JSON.parse((await ours.tailscale('whois', '--json', (await real.ips()).v4)).stdout)).toHaveProperty('Node.ID')
      })

      test('down stops the node, up starts it again without a key', async () => {
        expect(await ours.tailscale('down')).toMatchObject({ code: 0 })
        await ours.waitState('Stopped', 5000)
        const { v4 } = await real.ips()
        expect((await ours.tailscale('ping', '-c', '1', '--timeout=2s', v4)).code).not.toBe(0)
        await waitFor('the server to see us gone', async () => (await lab().headscale.node('ours')).online !== true, { withinMs: 30_000, everyMs: 250 })
        expect(await ours.tailscale('up', `--login-server=${lab().headscale.url}`, '--hostname=ours', '--timeout=30s')).toMatchObject({ code: 0 })
        await ours.waitUsable(real)
      })

      test('up that leaves out a setting is refused with the full command', async () => {
        const up = await ours.tailscale('up', '--shields-up')
        expect(up.code).toBe(1)
        expect(up.stderr).toContain('--hostname=ours')
      })

      test('logout forgets the node', async () => {
        const { PublicKey } = (await ours.api.status()).Self
        expect(await ours.tailscale('logout')).toMatchObject({ code: 0 })
        await ours.waitState('NeedsLogin', 10_000)
        await waitFor('the peer to see us gone or expired', async () => {
          const peer = Object.values((await real.api.status()).Peer ?? {}).find((seen) => seen.PublicKey === PublicKey)
          return peer === undefined || !peer.Online
        }, { withinMs: 30_000, everyMs: 250 })
      })
    },
  )
})

describe('our command', () => {
  /** Runs a verb with --json and returns what it printed. */
  const json = async (...words: string[]): Promise<{ code: number | null; value: Record<string, unknown> }> => {
    const { code, stdout, stderr } = await ours.bowline(...words, '--json')
    try {
      return { code, value: JSON.parse(stdout) as Record<string, unknown> }
    } catch {
      throw new Error(`bowline ${words.join(' ')} --json printed no JSON (status ${String(code)}): ${stdout}${stderr}`)
    }
  }

  labSuite(
    'bowline',
    {},
    async (lab) => {
      ;[ours, real] = await Promise.all([lab.add('bowline', 'ours'), lab.join('tailscaled', 'real')])
    },
    (lab) => {
      test('up joins', async () => {
        const key = await lab().headscale.authKey()
        const up = await json('up', `--login-server=${lab().headscale.url}`, `--auth-key=${key}`, '--hostname=ours')
        expect(up.code).toBe(0)
        expect(JSON.stringify(up.value)).not.toContain(key)
        await ours.waitUsable(real)
      })

      test('status, ip, ping and whois answer', async () => {
        expect(await json('status')).toMatchObject({ code: 0, value: { BackendState: 'Running' } })
        expect((await ours.bowline('status')).stdout).toMatch(/real/)
        const ip = await json('ip')
        expect(ip.code).toBe(0)
        expect(JSON.stringify(ip.value)).toContain((await ours.ips()).v4)
        const lines = (await ours.bowline('ping', '--json', '--tsmp', '-c', '2', 'real')).stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as unknown)
        expect(lines).toEqual([1, 2].map((Seq) => expect.objectContaining({ Seq, Type: 'TSMP', Err: '', NodeName: 'real' })).concat([{ Summary: expect.objectContaining({ Sent: 2, Answered: 2, LostPercent: 0 }) }]))
        expect((await ours.bowline('ping', 'real')).stdout).toMatch(/(answer|pong) from real/i)
      })

      test('down and up again', async () => {
        expect((await json('down')).code).toBe(0)
        await ours.waitState('Stopped', 5000)
        expect((await json('up')).code).toBe(0)
        await ours.waitState('Running', 10_000)
      })

      test('logout', async () => {
        expect((await json('logout')).code).toBe(0)
        await ours.waitState('NeedsLogin', 10_000)
      })

      test('an unknown verb or flag gets a sentence and a status', async () => {
        for (const words of [['frobnicate'], ['status', '--frobnicate'], ['daemon', '--frobnicate']]) {
          const { code, stderr } = await ours.bowline(...words)
          expect(code, words.join(' ')).not.toBe(0)
          expect(stderr).toContain('frobnicate')
        }
      })

      test('no engine on the socket gets a sentence and a status', async () => {
        await ours.stop()
        const { code, stdout, stderr } = await ours.bowline('status')
        expect(code).not.toBe(0)
        expect(stdout + stderr).toMatch(/not running|no engine|cannot|connect/i)
        expect(stderr).not.toMatch(/^\s+at /m)
      })
    },
  )
})
