/**
 * A device policy under the official `tailscale` command, on our engine and on a real tailscaled with the same file: both are made
 * the same by it and list the same rules; what ours refuses, it refuses with the rule's name.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'

const RULES = {
  UseTailscaleSubnets: 'always', AllowIncomingConnections: 'never', UseTailscaleDNSSettings: 'user-decides', ExitNodesPicker: 'hide', KeyExpirationNotice: '36h0m0s',
  ManagedByOrganizationName: 'Fjord Labs', ManagedByURL: 'https://help.fjord.example', CheckUpdates: 'never',
}

let ours: LabNode
let real: LabNode
let path: string

const write = (rules: unknown): void => writeFileSync(path, JSON.stringify(rules), { mode: 0o644 })
const prefs = async ({ api }: LabNode): Promise<Record<string, unknown>> => JSON.parse((await api.call('GET', 'prefs')).text) as Record<string, unknown>
const list = async (node: LabNode): Promise<Record<string, { Value?: unknown; Error?: unknown }>> => {
  const { stdout } = await node.tailscale('syspolicy', 'list', '--json')
  return (JSON.parse(stdout) as { Settings: Record<string, { Value?: unknown }> }).Settings
}

describe('a device policy', () => {
  labSuite('held', {}, async (lab) => {
    path = join(lab.folder, 'syspolicy.json')
    write(RULES)
    const args = [`--syspolicy-file=${path}`]
    ;[ours, real] = await Promise.all([lab.join('bowline', 'ours', { args }), lab.join('tailscaled', 'real', { args })])
  }, () => {
    test('makes the prefs of both the same', async () => {
      const prefsOf = async (node: LabNode): Promise<unknown> => {
        const { RouteAll, ShieldsUp, CorpDNS, AutoUpdate } = await prefs(node)
        return { RouteAll, ShieldsUp, CorpDNS, AutoUpdate }
      }
      expect(await prefsOf(ours)).toEqual(await prefsOf(real))
      expect(await prefsOf(ours)).toMatchObject({ RouteAll: true, ShieldsUp: true })
    })

    test('is listed alike by the official command', async () => {
      expect(await list(ours)).toEqual(await list(real))
      expect((await ours.tailscale('syspolicy', 'list')).stdout).toEqual((await real.tailscale('syspolicy', 'list')).stdout)
    })

    test('is named where the official command asks for something else', async () => {
      const { code, stderr } = await ours.tailscale('set', '--accept-routes=false')
      expect(code).not.toBe(0)
      expect(stderr).toContain('it is set by Fjord Labs (device policy UseTailscaleSubnets)')
      expect((await ours.tailscale('set', '--accept-dns=false')).code).toBe(0)
    })

    test('that changes holds without a restart, and what is wrong in it costs nothing else', async () => {
      write({ ...RULES, UseTailscaleSubnets: 'never', nonesuch: 1 })
      await waitFor('the new rule', async () => (await prefs(ours))['RouteAll'] === false || undefined, { withinMs: 30_000 })
      expect((await list(ours))['nonesuch']?.Error).toBe('there is no such key')
      expect((await ours.tailscale('syspolicy', 'reload')).stdout).toContain('UseTailscaleSubnets')
      write({ 'AlwaysOn.Enabled': true })
      await waitFor('the new rule', async () => (await list(ours))['AlwaysOn.Enabled'], { withinMs: 30_000 })
      const down = await ours.tailscale('down')
      expect(down.code).not.toBe(0)
      expect(down.stderr).toContain('disconnect not allowed: always-on mode is enabled')
      expect((await ours.tailscale('logout')).code).not.toBe(0)
    })
  })
})
