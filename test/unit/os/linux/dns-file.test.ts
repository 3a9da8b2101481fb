/** resolv.conf on a disk: taken, followed, fought for and put back. */
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, renameSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { JournalEntry } from '../../../../main/engine/base/env.ts'
import { silentLog } from '../../../../main/engine/base/log.ts'
import type { MachineDns } from '../../../../main/engine/core/plan/machine.ts'
import { FileNames, ownOf } from '../../../../main/engine/os/linux/dns-file.ts'
import type { NamesDeps, Problem } from '../../../../main/engine/os/linux/dns-ports.ts'
import { LinuxDns } from '../../../../main/engine/os/linux/dns.ts'
import { HandClock } from '../../../sim/clock.ts'
import { makeTempDir, removeTempDir } from '../../../support/temp.ts'
import { waitFor } from '../../../support/wait.ts'

const WANT: MachineDns = { device: 'bowline0', servers: ['100.100.100.100'], matchDomains: ['net.example'], searchDomains: ['net.example'], all: false, exclusive: false }
const BEFORE = '# mine\nnameserver 192.0.2.1\nsearch lan\noptions ndots:2 trust-ad\n'

let root: string
let conf: string
let backup: string
let clock: HandClock
let told: Problem[]
let ownTimes: number
let journal: JournalEntry[]
const open: FileNames[] = []

beforeEach(() => {
  root = makeTempDir('names')
  for (const folder of ['etc', 'run']) mkdirSync(join(root, folder))
  conf = join(root, 'etc/resolv.conf')
  backup = join(root, 'etc/resolv.pre-bowline-backup.conf')
  clock = new HandClock()
  told = []
  journal = []
  ownTimes = 0
})

afterEach(async () => {
  for (const one of open.splice(0)) await one.takeBack()
  removeTempDir(root)
})

function deps(): NamesDeps {
  return {
    env: { clock, random: { bytes: (length) => new Uint8Array(length), unit: () => 0.5 }, log: silentLog, journal: { add: (entry) => void journal.push(entry) } },
    run: () => Promise.reject(new Error('no program')), root, findResolvconf: () => undefined, busAddress: `unix:path=${root}/no-bus`,
  }
}

function names(byNetworkManager = false): FileNames {
  const made = new FileNames(deps(), { onDisturbed: (what) => void told.push(what), onOwn: () => void ownTimes++ }, byNetworkManager)
  open.push(made)
  return made
}

const now = (): string => readFileSync(conf, 'latin1')

test('ours asks us alone, keeps search domains and options, and what was there comes back as it was', async () => {
  writeFileSync(conf, BEFORE)
  chmodSync(conf, 0o640)
  const inode = statSync(conf).ino
  const file = names()
  expect(await file.put(WANT)).toEqual([])
  expect(now()).toMatch(/^# Written by Bowline/)
  expect(now().split('\n').filter((line) => !line.startsWith('#'))).toEqual(['nameserver 100.100.100.100', 'search net.example lan', 'options ndots:2 trust-ad', ''])
  expect(statSync(conf).mode & 0o777).toBe(0o644)
  expect(file.own()).toMatchObject({ servers: ['192.0.2.1'], search: ['lan'] })
  await file.takeBack()
  expect([now(), statSync(conf).mode & 0o777, statSync(conf).ino]).toEqual([BEFORE, 0o640, inode])
  expect(existsSync(backup)).toBe(false)
})

test('with an exit node nobody\'s local domains are searched', async () => {
  writeFileSync(conf, BEFORE)
  await names().put({ ...WANT, all: true, exclusive: true })
  expect(now().split('\n').filter((line) => !line.startsWith('#'))).toEqual(['nameserver 100.100.100.100', 'search net.example', 'options ndots:2', ''])
})

test('a link comes back as that link, also one to nothing', async () => {
  for (const target of ['../run/some/resolv.conf', '/nowhere/resolv.conf']) {
    symlinkSync(target, conf)
    const file = names()
    await file.put(WANT)
    expect(lstatSync(conf).isSymbolicLink()).toBe(false)
    await file.takeBack()
    expect(readlinkSync(conf)).toBe(target)
    unlinkSync(conf)
  }
})

test('where there was none, none is left', async () => {
  const file = names()
  await file.put(WANT)
  expect(now()).toContain('nameserver 100.100.100.100')
  await file.takeBack()
  expect(existsSync(conf)).toBe(false)
})

test('whatever bytes were there are there again', async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 3_000 }), async (bytes) => {
    writeFileSync(conf, bytes)
    const file = names()
    await file.put(WANT)
    await file.takeBack()
    expect(Buffer.from(bytes).equals(readFileSync(conf))).toBe(true)
  }), { numRuns: 40 })
})

test('a file of many megabytes is put back and not read', async () => {
  const huge = Buffer.alloc(3 << 20, 'nameserver 192.0.2.9\n')
  writeFileSync(conf, huge)
  const file = names()
  await file.put(WANT)
  expect(file.own().servers).toEqual([])
  await file.takeBack()
  expect(readFileSync(conf).equals(huge)).toBe(true)
})

test('another writer is noticed and named, ours is put back, and theirs is what comes back in the end', async () => {
  writeFileSync(conf, BEFORE)
  const file = names()
  await file.put(WANT)
  const theirs = '# Generated by dhclient\nnameserver 192.0.2.7\n'
  writeFileSync(`${conf}.new`, theirs)
  renameSync(`${conf}.new`, conf)
  clock.advance(30_000)
  expect(told).toEqual([{ code: 'names-rewritten', text: expect.stringContaining('dhclient wrote') as string }])
  expect(now()).toContain('nameserver 100.100.100.100')
  expect([file.own().servers, ownTimes]).toEqual([['192.0.2.7'], 1])
  await file.takeBack()
  expect(now()).toBe(theirs)
})

test('a change is seen by the system\'s own word, not by the next look alone', async () => {
  writeFileSync(conf, BEFORE)
  const file = names()
  await file.put(WANT)
  // The watch asks for a look soon by the clock of the test.
  const waiting = clock.waiting
  writeFileSync(conf, 'nameserver 192.0.2.8\n')
  await waitFor('the watch to see it', () => clock.waiting > waiting, { withinMs: 30_000 })
  clock.advance(100)
  expect(now()).toContain('Bowline')
  expect(file.own().servers).toEqual(['192.0.2.8'])
})

test('who edits ours does not become what is put back', async () => {
  writeFileSync(conf, BEFORE)
  const file = names()
  await file.put(WANT)
  writeFileSync(conf, `${now()}nameserver 8.8.8.8\n`)
  clock.advance(30_000)
  expect(now()).not.toContain('8.8.8.8')
  expect(file.own().servers).toEqual(['192.0.2.1'])
  await file.takeBack()
  expect(now()).toBe(BEFORE)
})

test('a fight is given up for half a minute at a time, and said', async () => {
  writeFileSync(conf, BEFORE)
  const file = names()
  await file.put(WANT)
  const rewrite = async (at: number): Promise<void> => {
    const waiting = clock.waiting
    writeFileSync(conf, `# Generated by NetworkManager\nnameserver 192.0.2.${at}\n`)
    await waitFor('the watch to see it', () => clock.waiting > waiting, { withinMs: 30_000 })
    clock.advance(100)
  }
  for (let at = 1; at <= 5; at++) await rewrite(at)
  expect(told.map(({ code }) => code)).toEqual(Array.from({ length: 5 }, () => 'names-rewritten'))
  await rewrite(6)
  expect(told.at(-1)).toEqual({ code: 'names-two-owners', text: expect.stringContaining('NetworkManager keeps writing') as string })
  expect(now()).toContain('192.0.2.6')
  expect(await file.put(WANT)).toMatchObject([{ code: 'names-two-owners' }])
  expect(now()).toContain('192.0.2.6')
  clock.advance(30_000)
  expect(now()).toContain('nameserver 100.100.100.100')
  await file.takeBack()
  expect(now()).toContain('192.0.2.6')
})

test('NetworkManager\'s file becomes a link of ours, its own text tells the resolvers, and what it wrote last comes back', async () => {
  mkdirSync(join(root, 'run/NetworkManager'))
  const theirs = join(root, 'run/NetworkManager/resolv.conf')
  const text = '# Generated by NetworkManager\nnameserver 192.0.2.1\n'
  writeFileSync(conf, text)
  writeFileSync(theirs, text)
  const file = names(true)
  await file.put(WANT)
  expect(readlinkSync(conf)).toBe(join(root, 'etc/resolv.bowline.conf'))
  const later = '# Generated by NetworkManager\nnameserver 198.51.100.1\n'
  writeFileSync(theirs, later)
  clock.advance(30_000)
  expect([told, ownTimes, file.own().servers]).toEqual([[], 1, ['198.51.100.1']])
  await file.takeBack()
  expect([lstatSync(conf).isSymbolicLink(), now(), existsSync(join(root, 'etc/resolv.bowline.conf'))]).toEqual([false, later, false])
})

test('what an engine that died left is put back by the next one', async () => {
  writeFileSync(conf, BEFORE)
  const died = names()
  await died.put(WANT)
  const next = new LinuxDns(deps())
  expect(await next.cleanUp()).toBe(true)
  expect([now(), existsSync(backup)]).toEqual([BEFORE, false])
  expect(await next.cleanUp()).toBe(false)
  open.length = 0
})

test('what another wrote after an engine died stays, and only the backup goes', async () => {
  writeFileSync(conf, BEFORE)
  await names().put(WANT)
  unlinkSync(conf)
  writeFileSync(conf, 'nameserver 192.0.2.44\n')
  open.length = 0
  const next = new LinuxDns(deps())
  expect(await next.cleanUp()).toBe(true)
  expect([now(), existsSync(backup)]).toEqual(['nameserver 192.0.2.44\n', false])
})

test('who finds nobody to ask says so, and the leftovers of a tailscaled are nobody', async () => {
  writeFileSync(conf, '# resolv.conf(5) file generated by tailscale\nnameserver 100.100.100.100\nsearch ts.example\n')
  const dns = new LinuxDns(deps())
  expect(await dns.set(WANT)).toMatchObject({ through: 'file', problems: [{ code: 'names-no-own' }] })
  expect(await dns.set({ ...WANT, exclusive: true })).toMatchObject({ problems: [] })
  writeFileSync(join(root, 'etc/resolv.pre-tailscale-backup.conf'), BEFORE)
  expect(await dns.set(WANT)).toMatchObject({ problems: [] })
  expect(dns.own().servers).toEqual(['192.0.2.1'])
  expect(await dns.set(undefined)).toEqual({ through: 'none', problems: [] })
  expect(now()).toContain('generated by tailscale')
})

test('of resolved\'s stub, those that it asks are ours, never itself', () => {
  mkdirSync(join(root, 'run/systemd/resolve'), { recursive: true })
  writeFileSync(join(root, 'run/systemd/resolve/resolv.conf'), 'nameserver 100.100.100.100\nnameserver 192.0.2.5\nsearch lan\n')
  expect(ownOf('nameserver 127.0.0.53\n', root)).toMatchObject({ servers: ['192.0.2.5'], search: ['lan'] })
})

test('a file that cannot be written is an error that says so, and names are untouched', async () => {
  const dns = new LinuxDns({ ...deps(), root: join(root, 'nowhere') })
  await expect(dns.set(WANT)).rejects.toMatchObject({ code: 'io', message: expect.stringContaining('resolv.conf cannot be changed') as string })
  expect(await dns.set(undefined)).toEqual({ through: 'none', problems: [] })
})
