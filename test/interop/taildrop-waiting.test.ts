/**
 * What came in and waits with our engine, as clients of a stock daemon see it: the bus, files/, and the official command.
 */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { shapeDifferences } from '../support/json-shape.ts'
import { waitFor } from '../support/wait.ts'
import type { Notify } from './lab/local-api.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'
import { waitTarget } from './lab/taildrop.ts'

const PATIENCE = { withinMs: 60_000 }
const hash = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')
const recorded = (): Notify[] => readFileSync(new URL('../vectors/localapi/watch-ipn-bus-mask4238.ndjson', import.meta.url), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Notify)

describe('files that wait', () => {
  let ours: LabNode
  let another: LabNode
  let real: LabNode
  let from: string
  let to: string
  labSuite(
    'with our engine',
    {},
    async (lab) => {
      ;[ours, another, real] = await Promise.all([lab.join('bowline', 'ours'), lab.join('bowline', 'another'), lab.join('tailscaled', 'real')])
      await Promise.all([real.waitUsable(ours), ours.waitUsable(real), another.waitUsable(ours)])
      await Promise.all([waitTarget(real, ours), waitTarget(another, ours)])
      ;[from, to] = [join(lab.folder, 'from'), join(lab.folder, 'to')]
      for (const folder of [join(from, 'trip', 'deep'), to]) mkdirSync(folder, { recursive: true })
      for (const [name, size] of [['f2.bin', 300_000], ['trip/a', 1_000], ['trip/deep/b', 200_000]] as const) writeFileSync(join(from, name), randomBytes(size))
    },
    () => {
      test('are told on the bus as a real daemon tells them, listed, and fetched by the official command', async () => {
        const heard: Notify[] = []
        const watch = ours.api.watch(4238, (notify) => heard.push(notify))
        const waiting = ours.api.call('GET', 'files/?waitsec=60', undefined, {}, 90_000)
        expect(await real.tailscale('file', 'cp', join(from, 'f2.bin'), 'ours:')).toMatchObject({ code: 0 })
        expect((await waiting).text).toBe('[{"Name":"f2.bin","Size":300000}]\n')
        const told = await waitFor('the file on the bus', () => heard.find((one) => one['FilesWaiting'] !== undefined), PATIENCE)
        expect(told['FilesWaiting']).toEqual({})
        const done = await waitFor('the end of it', () => heard.find((one) => (one['IncomingFiles'] as { Done?: boolean }[] | undefined)?.[0]?.Done === true), PATIENCE)
        const theirs = recorded().find((one) => one['IncomingFiles'] !== undefined)!
        expect(shapeDifferences(done['IncomingFiles'], theirs['IncomingFiles'])).toEqual([])
        // It stands in whatever is said next, and no longer once it is fetched.
        heard.length = 0
        await ours.api.patchPrefs({ RouteAll: true, RouteAllSet: true })
        expect((await waitFor('other news', () => heard.find((one) => one.Prefs), PATIENCE))['FilesWaiting']).toEqual({})
        expect(await ours.tailscale('file', 'get', '--verbose', to)).toMatchObject({ code: 0 })
        expect(hash(join(to, 'f2.bin'))).toBe(hash(join(from, 'f2.bin')))
        expect((await ours.api.call('GET', 'files/')).text).toBe('null\n')
        heard.length = 0
        await ours.api.patchPrefs({ RouteAll: false, RouteAllSet: true })
        expect(await waitFor('other news', () => heard.find((one) => one.Prefs), PATIENCE)).not.toHaveProperty('FilesWaiting')
        watch.stop()
        const [staged] = readdirSync(join(ours.folder, 'files'))
        expect(staged).toMatch(/-uid-\d+$/)
        expect(readdirSync(join(ours.folder, 'files', staged!))).toEqual([])
      })

      test('a folder of another Bowline is fetched as one zip file', async () => {
        expect(await another.bowline('file', 'cp', join(from, 'trip'), 'ours:')).toMatchObject({ code: 0 })
        const listed = await waitFor('the folder', async () => {
          const { text } = await ours.api.call('GET', 'files/')
          return text !== 'null\n' && (JSON.parse(text) as { Name: string; Size: number }[])
        }, PATIENCE)
        expect(listed).toMatchObject([{ Name: 'trip.zip' }])
        expect(await ours.tailscale('file', 'get', to)).toMatchObject({ code: 0 })
        const zip = readFileSync(join(to, 'trip.zip'))
        expect(zip.length).toBe(listed[0]!.Size)
        for (const name of ['trip/a', 'trip/deep/b']) expect(zip.includes(readFileSync(join(from, name)))).toBe(true)
        expect((await ours.api.call('GET', 'files/')).text).toBe('null\n')
        expect(existsSync(join(to, 'trip'))).toBe(false)
      })
    },
  )
})
