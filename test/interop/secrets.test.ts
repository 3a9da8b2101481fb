/**
 * The keys of this device in a real keyring: gnome-keyring over a private session bus. Skipped by name where its programs
 * are not installed (Debian: dbus, gnome-keyring, libglib2.0-bin).
 */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SecretService } from '../../main/engine/io/secret-service.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { Keyring, missingPrograms } from './lab/keyring.ts'
import type { Notify } from './lab/local-api.ts'
import { LabNode } from './lab/node.ts'

const missing = missingPrograms()
if (missing.length > 0 && process.env['CI'] !== undefined) throw new Error(`not installed: ${missing.join(', ')}`)
const suite = missing.length === 0 ? describe : describe.skip

let folder: string
let keyring: Keyring
let node: LabNode
let server: Server | undefined

beforeEach(() => {
  folder = makeTempDir('keys')
  mkdirSync(join(folder, 'k'))
  keyring = new Keyring(join(folder, 'k'))
  node = nodeWith({ DBUS_SESSION_BUS_ADDRESS: keyring.busAddress })
})
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(node.log, keyring.log)
  await node.stop()
  await keyring.stop()
  server?.close()
  removeTempDir(folder)
})

function nodeWith(env: Record<string, string>, args: readonly string[] = []): LabNode {
  return new LabNode({ kind: 'bowline', name: 'n', args, looksForKeyring: true, folder, loginUrl: '', tailscaled: '', tailscale: '', env })
}

const stateFiles = (): string[] => readdirSync(node.folder).filter((file) => file.startsWith('state')).map((file) => readFileSync(join(node.folder, file), 'utf8'))

async function warnings(): Promise<Record<string, { Text: string; Severity: string }>> {
  const first = await new Promise<Notify>((resolve) => {
    const watching = node.api.watch(2 + 128, (notify) => {
      watching.stop()
      resolve(notify)
    })
  })
  return (first.Health as { Warnings: Record<string, { Text: string; Severity: string }> | null } | undefined)?.Warnings ?? {}
}

const setHostname = (name: string): Promise<{ status: number }> => node.api.call('PATCH', 'prefs', { Hostname: name, HostnameSet: true })

const hostname = async (): Promise<string> => (JSON.parse((await node.api.call('GET', 'prefs')).text) as { Hostname: string }).Hostname

suite(`keys in a real keyring${missing.length > 0 ? ` (not installed: ${missing.join(', ')})` : ''}`, () => {
  test('a new engine seals its state, and opens it again after a restart', async () => {
    await keyring.start()
    await node.start()
    await setHostname('sealed-one')
    for (const text of stateFiles()) {
      expect(text).toContain('"sealed":1')
      expect(text).not.toMatch(/privkey|sealed-one/)
    }
    expect(await warnings()).not.toHaveProperty('secret-store-plain')
    expect(await keyring.items()).toContain('/org/freedesktop/secrets/collection/login/')
    await node.stop('kill')
    await node.start()
    expect(await hostname()).toBe('sealed-one')
  })

  test('without a bus the keys are in a file for the owner alone, and health says so', async () => {
    node = nodeWith({})
    await node.start()
    expect(stateFiles().join('')).toContain('privkey:')
    expect(statSync(join(node.folder, 'state.json')).mode & 0o777).toBe(0o600)
    expect(await warnings()).toMatchObject({ 'secret-store-plain': { Severity: 'low', Text: expect.stringContaining('file that only you can read') } })
  })

  test('plain state of before is sealed at the next start, and no generation keeps a key in the clear', async () => {
    node = nodeWith({})
    await node.start()
    await setHostname('moved')
    await node.stop()
    const keys = stateFiles().join('').match(/privkey:[0-9a-f]{64}/g)!
    await keyring.start()
    node = nodeWith({ DBUS_SESSION_BUS_ADDRESS: keyring.busAddress })
    await node.start()
    expect(await hostname()).toBe('moved')
    const now = stateFiles().join('')
    expect(now).not.toContain('privkey:')
    expect(keys.filter((key) => now.includes(key.slice(8)))).toEqual([])
  })

  test('a locked keyring closes the state and loses nothing; unlocked, the engine goes on by itself', async () => {
    await keyring.start()
    await node.start()
    await setHostname('behind-lock')
    await node.stop()
    const before = stateFiles()
    await keyring.lock()
    await node.start()
    await waitFor('the warning', async () => 'state-store-health' in (await warnings()), { withinMs: 15_000 })
    expect((await node.api.status()).BackendState).toBe('NoState')
    expect((await warnings())['state-store-health']!.Text).toContain('keyring is locked')
    expect((await node.api.call('PATCH', 'prefs', { Hostname: 'x', HostnameSet: true })).status).toBe(503)
    expect(stateFiles()).toEqual(before)
    await keyring.unlock()
    await waitFor('the state to open', async () => (await hostname()) === 'behind-lock', { withinMs: 30_000, everyMs: 100 })
    expect(await warnings()).not.toHaveProperty('state-store-health')
  })

  test('sealed state in a session without a keyring stays closed and as it was', async () => {
    await keyring.start()
    await node.start()
    await node.stop()
    const before = stateFiles()
    node = nodeWith({})
    await node.start()
    expect((await warnings())['state-store-health']!.Text).toContain('this session has none')
    await node.stop()
    expect(stateFiles()).toEqual(before)
  })

  test('a keyring that lost the key is told, and the state is left alone', async () => {
    await keyring.start()
    await node.start()
    await node.stop()
    const before = stateFiles()
    const { name } = JSON.parse(before[0]!) as { name: string }
    await new SecretService({ busAddress: keyring.busAddress }).remove(name)
    await node.start()
    expect((await warnings())['state-store-health']!.Text).toContain('no longer holds its key')
    await node.stop()
    expect(stateFiles()).toEqual(before)
  })

  test('--encrypt-state=false opens sealed state for good and takes its key out of the keyring', async () => {
    await keyring.start()
    await node.start()
    await setHostname('unsealed')
    await node.stop()
    node = nodeWith({ DBUS_SESSION_BUS_ADDRESS: keyring.busAddress }, ['--encrypt-state=false'])
    await node.start()
    expect(await hostname()).toBe('unsealed')
    await waitFor('the key to be gone', async () => !(await keyring.items()).includes('collection/login/'), { withinMs: 10_000 })
    expect(stateFiles().join('')).toContain('privkey:')
  })

  test('a bus without a keyring, or one that hangs, delays nothing for long', async () => {
    await keyring.startBus()
    await node.start()
    expect((await warnings())['secret-store-plain']!.Text).toContain('no keyring serves this session')
    await node.stop()
    const hanging = join(folder, 'hang')
    await new Promise<void>((resolve) => {
      server = createServer(() => {}).listen(hanging, resolve)
    })
    const service = new SecretService({ busAddress: `unix:path=${hanging}`, limitMs: 200 })
    expect(await service.load('ab')).toMatchObject({ kind: 'absent', why: expect.stringContaining('no answer within') })
    await expect(service.save('ab', new Uint8Array(32))).rejects.toThrow('no answer within')
    writeFileSync(join(folder, 'file'), '')
    expect(await new SecretService({ busAddress: `unix:path=${join(folder, 'file')}` }).load('ab')).toMatchObject({ kind: 'absent' })
    expect(await new SecretService({ busAddress: 'rubbish' }).load('ab')).toMatchObject({ kind: 'absent' })
  })
})
