import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EngineError } from '../../../main/engine/base/errors.ts'
import { configOf } from '../../../main/engine/backend/config.ts'
import type { ConfigPort } from '../../../main/engine/backend/ports.ts'
import { readConfigFile, readConfigKey } from '../../../main/engine/io/config-file.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'
import { makeRig } from './rig.ts'
import type { Rig } from './rig.ts'

let dir: string
let path: string
beforeEach(() => {
  dir = makeTempDir('config')
  path = join(dir, 'settings.hujson')
})
afterEach(() => removeTempDir(dir))

const port = (): ConfigPort => ({ path, read: () => readConfigFile(path), readKey: readConfigKey })

async function started(text: string): Promise<Rig> {
  writeFileSync(path, text)
  const rig = makeRig({ config: port() })
  await rig.backend.unlock()
  await rig.backend.open()
  return rig
}

const reasonFor = async (text: string): Promise<string> => {
  writeFileSync(path, text)
  return await readConfigFile(path).then((fields) => configOf(path, fields)).then(() => '', (error: unknown) => (error as EngineError).message)
}

const WHOLE = `{
  // A laptop in the lab.
  "version": "alpha0",
  "Locked": false,
  "ServerURL": "https://lab.example",
  "AuthKey": "tskey-1",
  "Hostname": "bench", /* trailing comma next */
  "acceptRoutes": true,
  "acceptDNS": false,
  "AdvertiseRoutes": ["10.0.0.0/24"],
  "AdvertiseExitNode": true,
  "NetfilterMode": "nodivert",
  "StaticEndpoints": ["192.0.2.7:41641"],
}`

describe('a settings file', () => {
  test('sets prefs and signs in with its key when nobody is signed in', async () => {
    const rig = await started(WHOLE)
    expect(rig.backend.views.prefs()).toMatchObject({
      ControlURL: 'https://lab.example', Hostname: 'bench', RouteAll: true, CorpDNS: false, WantRunning: true, LoggedOut: false,
      AdvertiseRoutes: ['10.0.0.0/24', '0.0.0.0/0', '::/0'], NetfilterMode: 1,
    })
    expect(rig.control.logins).toMatchObject([{ controlUrl: 'https://lab.example', authKey: 'tskey-1', interactive: false }])
    expect(rig.magicsock.staticEndpoints).toEqual(['192.0.2.7:41641'])
  })

  test('takes the auth key from a file, and says which file it cannot read', async () => {
    writeFileSync(join(dir, 'key'), 'tskey-2\n')
    const rig = await started(`{"version":"alpha0","ServerURL":"https://lab.example","AuthKey":"file:${join(dir, 'key')}"}`)
    expect(rig.control.logins).toMatchObject([{ authKey: 'tskey-2' }])
    await expect(started(`{"version":"alpha0","ServerURL":"https://lab.example","AuthKey":"file:${join(dir, 'none')}"}`)).rejects.toThrow(join(dir, 'none'))
  })

  test('that is locked refuses edits in the words of the stock daemon; it is locked unless it says otherwise', async () => {
    const rig = await started('{"version":"alpha0","ServerURL":"https://lab.example"}')
    const words = "can't reconfigure tailscaled when using a config file; config file is locked"
    expect(() => rig.backend.editPrefs({ ShieldsUp: true, ShieldsUpSet: true })).toThrow(words)
    expect(() => rig.backend.startWith({ UpdatePrefs: rig.backend.views.prefs() })).toThrow(words)
    expect(rig.backend.checkPrefs(rig.backend.views.prefs())).toBe(words)
    expect(rig.backend.views.prefs().ShieldsUp).toBe(false)
  })

  test('is applied again when asked; a wrong one changes nothing and is a warning until it is right', async () => {
    const rig = await started('{"version":"alpha0","ServerURL":"https://lab.example","Hostname":"one"}')
    writeFileSync(path, '{"version":"alpha0","ServerURL":"https://lab.example","Hostname":"two","ShieldsUp":true}')
    expect(await rig.backend.config.reload()).toBe(true)
    expect(rig.backend.views.prefs()).toMatchObject({ Hostname: 'two', ShieldsUp: true })
    writeFileSync(path, '{"version":"alpha0","Hostname":3}')
    await expect(rig.backend.config.reload()).rejects.toThrow('line 1: "Hostname" must be a text')
    expect(rig.backend.views.prefs().Hostname).toBe('two')
    expect(rig.backend.views.health().Warnings).toHaveProperty('apply-disk-config')
    writeFileSync(path, '{"version":"alpha0","ServerURL":"https://lab.example","Enabled":false}')
    expect(await rig.backend.config.reload()).toBe(true)
    expect(rig.backend.views.health().Warnings ?? {}).not.toHaveProperty('apply-disk-config')
    expect(rig.backend.views.prefs().WantRunning).toBe(false)
  })

  test('without one there is nothing to apply again', async () => {
    const rig = makeRig()
    rig.backend.start()
    expect(await rig.backend.config.reload()).toBe(false)
  })

  test('an engine that is signed in is not signed in again', async () => {
    const rig = await started(WHOLE)
    rig.signIn()
    await rig.backend.config.reload()
    expect(rig.control.logins).toHaveLength(1)
  })

  test.each([
    ['{"version": "alpha0",\n "Hostname": }', 'line 2: this is not JSON (value expected)'],
    ['[]', 'one JSON object'],
    ['', 'not JSON'],
    ['{}', '"version" is missing'],
    ['{"version":"beta"}', 'line 1: "version" must be "alpha0"'],
    ['{"version":"alpha0",\n\n "HostNmae":"x"}', 'line 3: "HostNmae" must be a field that exists'],
    ['{"version":"alpha0","Hostname":"a","hostname":"b"}', '"hostname" must be there only once'],
    ['{"version":"alpha0",\n"acceptDNS":"yes"}', 'line 2: "acceptDNS" must be true or false'],
    ['{"version":"alpha0","AdvertiseRoutes":"10.0.0.0/8"}', '"AdvertiseRoutes" must be a list of texts'],
    ['{"version":"alpha0","NetfilterMode":"maybe"}', '"NetfilterMode" must be "on", "off" or "nodivert"'],
    ['{"version":"alpha0","StaticEndpoints":["192.0.2.1"]}', '"StaticEndpoints" must be a list of addresses with ports'],
    ['{"version":"alpha0","ServeConfigTemp":{}}', 'serve is not there yet'],
  ])('%j is refused: %s', async (text, reason) => {
    const told = await reasonFor(text)
    expect(told).toContain(reason)
    expect(told).toContain(path)
  })

  test('with prefs that cannot be, or without a server, keeps the engine from starting with the file named', async () => {
    await expect(started('{"version":"alpha0","ServerURL":"lab"}')).rejects.toThrow(path)
    await expect(started('{"version":"alpha0"}')).rejects.toThrow('"ServerURL" is missing')
  })

  test('that is not there, or is a directory, is told with its path', async () => {
    await expect(readConfigFile(join(dir, 'none'))).rejects.toMatchObject({ code: 'not-found', message: expect.stringContaining('none') })
    mkdirSync(path)
    await expect(readConfigFile(path)).rejects.toMatchObject({ code: 'bad-config' })
  })

  test('of any rubbish is read or refused with a reason', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json(), fc.jsonValue().map((value) => JSON.stringify({ version: 'alpha0', Hostname: value, AutoUpdate: value }))), async (text) => {
        expect(await reasonFor(text)).toBeTypeOf('string')
      }),
      { numRuns: 300 },
    )
  })
})
