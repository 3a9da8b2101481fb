/**
 * Several accounts on real servers, driven by the official command: two users of one Headscale and one of another.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { ALLOW_ALL, Headscale } from './lab/headscale.ts'
import type { Lab } from './lab/lab.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'

interface Row {
  readonly id: string
  readonly nickname: string
  readonly tailnet: string
  readonly account: string
  readonly selected: boolean
}

let other: Headscale
let ours: LabNode
let real: LabNode

async function list(): Promise<Row[]> {
  const { code, stdout } = await ours.tailscale('switch', '--list', '--json')
  expect(code).toBe(0)
  return JSON.parse(stdout) as Row[]
}

const idOf = async (nickname: string): Promise<string> => (await list()).find((row) => row.nickname === nickname)!.id

async function prefs(): Promise<Record<string, unknown>> {
  return JSON.parse((await ours.tailscale('debug', 'prefs')).stdout) as Record<string, unknown>
}

async function keyOf(headscale: Headscale, user: number): Promise<string> {
  return (JSON.parse(await headscale.cli('-o', 'json', 'preauthkeys', 'create', '--user', String(user))) as { key: string }).key
}

/** Everything that the engine keeps on disk but its journal. */
function onDisk(folder: string): string {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json') || name.endsWith('.previous'))
  return files.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n')
}

async function login(server: Headscale, user: number, ...words: string[]): Promise<void> {
  const key = await keyOf(server, user)
  const done = await ours.tailscale('login', `--login-server=${server.url}`, `--auth-key=${key}`, '--timeout=30s', ...words)
  expect(done).toMatchObject({ code: 0 })
  await ours.waitState('Running', 30_000)
}

async function prepare(lab: Lab): Promise<void> {
  const folder = join(lab.folder, 'hs2')
  mkdirSync(folder)
  other = new Headscale({ program: lab.peers.headscale, folder, derpFiles: [], policy: ALLOW_ALL })
  await Promise.all([other.start(), lab.headscale.cli('users', 'create', 'bob')])
  ;[ours, real] = await Promise.all([lab.add('bowline', 'ours'), lab.join('tailscaled', 'real')])
}

describe('profiles', () => {
  afterAll(async () => other?.stop())
  labSuite('with two real servers and three accounts', { relays: 'embedded' }, prepare, (lab) => {
    test('login after login makes a profile each, with prefs of its own', async () => {
      await login(lab().headscale, 1, '--hostname=ours-alice', '--shields-up', '--nickname=home')
      await login(lab().headscale, 2, '--hostname=ours-bob')
      expect(await prefs()).toMatchObject({ ShieldsUp: false, Hostname: 'ours-bob' })
      await login(other, 1, '--nickname=away')
      expect(await prefs()).toMatchObject({ ShieldsUp: false, Hostname: '', ControlURL: other.url })
      expect((await list()).map(({ nickname, account, selected }) => ({ nickname, account, selected }))).toEqual([
        { nickname: 'home', account: 'alice', selected: false },
        { nickname: 'bob', account: 'bob', selected: false },
        { nickname: 'away', account: 'alice', selected: true },
      ])
    })

    test('switch by ID and by nickname goes there and back, each time with the right keys, prefs and devices', async () => {
      const [home, away] = [await idOf('home'), await idOf('away')]
      const key = (await ours.api.status()).Self.PublicKey
      expect(await ours.tailscale('switch', home)).toMatchObject({ code: 0, stdout: expect.stringContaining('Success.') })
      expect(await prefs()).toMatchObject({ ShieldsUp: true, Hostname: 'ours-alice', ControlURL: lab().headscale.url })
      expect((await ours.api.status()).Self.PublicKey).not.toBe(key)
      await ours.waitUsable(real)
      expect(await ours.tailscale('switch', 'away')).toMatchObject({ code: 0 })
      expect((await list()).find((row) => row.selected)!.id).toBe(away)
      const { Self, Peer } = await ours.api.status()
      expect(Self.PublicKey).toBe(key)
      expect(Object.keys(Peer ?? {})).toEqual([])
      expect(await ours.tailscale('switch', 'away')).toMatchObject({ code: 0, stdout: expect.stringContaining('Already on account') })
    })

    test('a switch takes less than two seconds from the question to a peer that answers', async () => {
      const { v4 } = await real.ips()
      const startedMs = performance.now()
      expect((await ours.api.call('POST', `profiles/${await idOf('home')}`)).status).toBe(204)
      await waitFor('a pong', async () => ((await ours.api.call('POST', `ping?ip=${v4}&type=disco`)).text.includes('"Err":""')), { withinMs: 10_000, everyMs: 10 })
      const tookMs = performance.now() - startedMs
      console.info(`switch to first pong: ${tookMs.toFixed(0)} ms`)
      if (ours.kind === 'bowline') expect(tookMs).toBeLessThan(2000)
    })

    test('a nickname can be set and taken back', async () => {
      const id = await idOf('home')
      expect(await ours.tailscale('set', '--nickname=castle')).toMatchObject({ code: 0 })
      expect(await idOf('castle')).toBe(id)
      expect(await ours.tailscale('set', '--nickname=')).toMatchObject({ code: 0 })
      expect((await list()).find((row) => row.id === id)!.nickname).toBe('alice')
      expect(await ours.tailscale('set', '--nickname=home')).toMatchObject({ code: 0 })
    })

    test('all of it is there after a crash and a restart', async () => {
      const before = await list()
      await ours.stop('kill')
      await ours.start()
      await ours.waitState('Running', 20_000)
      expect(await list()).toEqual(before)
    })

    test('the same person at the same server gets the same profile again', async () => {
      const before = await list()
      await login(lab().headscale, 2, '--hostname=ours-bob-again', '--nickname=builder')
      expect((await list()).map(({ id }) => id)).toEqual(before.map(({ id }) => id))
      expect((await list()).find((row) => row.nickname === 'builder')!.id).toBe(before.find((row) => row.nickname === 'bob')!.id)
    })

    test('a removed profile is gone from the list and from the disk', async () => {
      const { id } = (await list()).find((row) => row.nickname === 'away')!
      if (ours.kind === 'bowline') expect(onDisk(ours.folder)).toContain(other.url)
      expect(await ours.tailscale('switch', 'remove', 'away')).toMatchObject({ code: 0 })
      expect((await list()).map(({ nickname }) => nickname)).toEqual(['home', 'builder'])
      if (ours.kind === 'tailscaled') return
      expect(onDisk(ours.folder)).not.toContain(other.url)
      expect(existsSync(join(ours.folder, `netmap-${id}.json`))).toBe(false)
    })

    test('logout leaves the others, and a switch goes on with one of them', async () => {
      expect(await ours.tailscale('logout')).toMatchObject({ code: 0 })
      await ours.waitState('NeedsLogin', 10_000)
      expect((await list()).map(({ nickname }) => nickname)).toEqual(['home'])
      expect(await ours.tailscale('switch', 'home')).toMatchObject({ code: 0, stdout: expect.stringContaining('Success.') })
      await ours.waitUsable(real)
    })
  })
})
