/**
 * A settings file on a real Headscale: our engine joins by it alone, and the official command meets its lock and reloads it.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { run } from '../support/child.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'

let ours: LabNode
let path: string

describe('--config', () => {
  labSuite(
    'on a real server',
    { relays: 'embedded' },
    async (lab) => {
      path = join(lab.folder, 'settings.hujson')
      writeFileSync(join(lab.folder, 'key'), await lab.headscale.authKey())
      writeFileSync(path, `{
        "version": "alpha0", // the only one
        "ServerURL": "${lab.headscale.url}",
        "AuthKey": "file:${join(lab.folder, 'key')}",
        "Hostname": "by-file",
      }`)
      ours = await lab.add('bowline', 'ours', { args: [`--config=${path}`] })
    },
    (lab) => {
      test('the engine signs in by it', async () => {
        await ours.waitState('Running', 30_000)
        expect((await lab().headscale.node('by-file')).user.name).toBe('alice')
      })

      test('what it locks cannot be set with the official command', async () => {
        const done = await ours.tailscale('set', '--shields-up')
        expect(done.code).toBe(1)
        expect(done.stderr).toContain('config file is locked')
      })

      test('the official command reloads it; a wrong one is refused with line and field', async () => {
        writeFileSync(path, `{"version":"alpha0","ServerURL":"${lab().headscale.url}","Hostname":"by-file-again","ShieldsUp":true}`)
        expect(await ours.tailscale('debug', 'reload-config')).toMatchObject({ code: 0, stdout: expect.stringContaining('config reloaded') })
        expect(JSON.parse((await ours.tailscale('debug', 'prefs')).stdout)).toMatchObject({ Hostname: 'by-file-again', ShieldsUp: true })
        writeFileSync(path, '{"version":"alpha0",\n"Hostname":7}')
        const refused = await ours.tailscale('debug', 'reload-config')
        expect(refused.code).toBe(1)
        expect(refused.stderr + refused.stdout).toContain('line 2: "Hostname" must be a text')
      })

      test('an engine with a wrong one does not start and says why', async () => {
        await ours.stop()
        const { command, args } = ours.command
        expect(await run(command, args, { env: ours.env })).toMatchObject({ code: 1, stderr: expect.stringContaining('line 2: "Hostname" must be a text') })
      })
    },
  )
})
