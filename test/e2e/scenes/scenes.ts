/**
 * Every screen of the window in the order of one walk, each reached from the one before: by addresses, keys and what the network does, and by no
 * words, so that the walk is the same in every language. Pictures are taken of them, and accessibility is judged on them.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { POLICY_FILE } from '../demo-lab.ts'
import { closed, DIALOGS } from './dialogs.ts'
import { JOINING } from './joining.ts'
import { MACHINE } from './machine.ts'
import type { Scene } from './scene.ts'
import type { Stage } from './stage.ts'
import { TRANSFERS } from './transfers.ts'

const heading = (stage: Stage): Promise<void> => stage.page.locator('h1').first().waitFor()

async function device(stage: Stage, name: string, tab: 'path' | 'details' | 'access' = 'path'): Promise<void> {
  await stage.go(`#/devices/${await stage.idOf(name)}${tab === 'path' ? '' : `/${tab}`}`)
  await stage.page.locator('.device-page').waitFor()
}

/** Sends something that way, so that there is a path to see. */
async function ping(stage: Stage, name: string): Promise<void> {
  const { Peer } = await stage.api.call('status')
  const ip = Object.values(Peer ?? {}).find((peer) => peer.DNSName.startsWith(`${name}.`))?.TailscaleIPs?.[0]
  await stage.api.ping(ip!, 'TSMP')
}

/** Asks Diagnose whether that can be reached, until it has said so. */
async function reached({ page }: Stage, target: string, tone: 'good' | 'bad'): Promise<void> {
  await page.locator('.reach-box input').fill(target)
  await page.keyboard.press('Enter')
  await page.locator(`.reach-${tone}[aria-busy=false]`).waitFor()
}

async function settingsPages(stage: Stage, page: string): Promise<void> {
  await stage.go(`#/settings/${page}`)
  await heading(stage)
  await stage.page.locator('.settings-pages a.on').first().waitFor()
}

const me = (stage: Stage): ReturnType<Stage['lab']['network']['control']['tailnet']['nodeNamed']> => stage.lab.network.control.tailnet.nodeNamed('my-computer')

const places: readonly Scene[] = [
  {
    name: 'device-path-relayed', narrow: true,
    reach: async (stage) => {
      await stage.page.locator('.joined button').click()
      await ping(stage, 'web')
      await device(stage, 'web')
    },
  },
  { name: 'device-details', narrow: true, reach: (stage) => device(stage, 'files', 'details') },
  { name: 'device-access', narrow: true, reach: (stage) => device(stage, 'files', 'access') },
  { name: 'own-device', reach: (stage) => device(stage, 'my-computer') },
  {
    name: 'device-path-direct',
    reach: async (stage) => {
      stage.lab.network.gate.open()
      await device(stage, 'web')
      const ms = Date.now() + 30_000
      while (Date.now() < ms && !(await stage.page.locator('.device-page .glyph-direct, .drawing-direct').first().isVisible())) await ping(stage, 'web').catch(() => undefined)
    },
  },
  {
    name: 'device-pinged', narrow: true,
    reach: async ({ page }) => {
      await page.locator('.device-page .buttons button').first().click()
      // The path, the tunnel and the system of the device have answered, more than once.
      await page.locator('.layers .reply:has(.times)').nth(2).waitFor()
      // A level line has no height, and counts as hidden.
      await page.locator('.chart .run').first().waitFor({ state: 'attached' })
      while ((await page.locator('.chart-walk').getAttribute('aria-valuemax')) === '1') await page.waitForTimeout(100)
    },
  },
  {
    name: 'device-pinged-table', narrow: true,
    reach: async ({ page }) => {
      await page.locator('.chart-foot .link').click()
      await page.locator('.chart-table tbody tr').nth(1).waitFor()
    },
  },
  {
    name: 'device-evidence',
    reach: async ({ page }) => {
      await page.locator('.device-page .buttons button').first().click()
      await page.locator('.path-foot .link').click()
      await page.locator('.path-foot button[aria-expanded=false]').click()
      await page.locator('.ticket').waitFor()
      await page.locator('.path-foot').scrollIntoViewIfNeeded()
    },
  },
  {
    name: 'device-service', narrow: true,
    reach: async (stage) => {
      await stage.page.locator('.device-page .buttons button[aria-expanded]').first().click()
      await stage.page.locator('.services input').fill(String(stage.lab.network.webPort))
      await stage.page.locator('.services .buttons button').last().click()
      await stage.page.locator('.services .door').waitFor()
    },
  },
  {
    name: 'exit-nodes-none', narrow: true,
    reach: async (stage) => {
      await stage.go('#/exit-nodes')
      await stage.page.locator('.exit-row').first().waitFor()
    },
  },
  {
    name: 'exit-nodes-in-use', narrow: true,
    reach: async (stage) => {
      await stage.api.call('exitNodeAction', { body: { Do: 'use', Node: await stage.idOf('exit-node') } })
      await stage.page.locator('.knot-exit-node').first().waitFor()
    },
  },
  ...MACHINE,
  {
    name: 'exit-nodes-held', narrow: true,
    reach: async (stage) => {
      await stage.go('#/exit-nodes')
      writeFileSync(join(stage.lab.folder, POLICY_FILE), JSON.stringify({ ExitNodeID: await stage.idOf('exit-node'), ManagedByOrganizationName: 'Fjord Labs' }), { mode: 0o644 })
      await stage.page.locator('.exit-row.held').first().waitFor()
    },
  },
  {
    name: 'diagnose', narrow: true,
    reach: async (stage) => {
      rmSync(join(stage.lab.folder, POLICY_FILE))
      await stage.page.locator('.exit-row.held').first().waitFor({ state: 'detached' })
      await stage.go('#/diagnose')
      await heading(stage)
    },
  },
  { name: 'reach-passed', narrow: true, reach: (stage) => reached(stage, `web:${stage.lab.network.webPort}`, 'good') },
  { name: 'reach-refused', narrow: true, reach: (stage) => reached(stage, 'web:22', 'bad') },
  ...(['general', 'connection', 'names', 'accounts', 'privacy', 'advanced', 'about'] as const).map((page): Scene => ({
    name: `settings-${page}`, ...(page === 'general' ? { narrow: true } : {}), reach: (stage) => settingsPages(stage, page),
  })),
]

const above: readonly Scene[] = [
  {
    name: 'palette', narrow: true,
    reach: async (stage) => {
      await closed(stage.page)
      await stage.go('#/devices')
      await stage.page.locator('[data-device]').first().waitFor()
      await stage.page.keyboard.press('Control+k')
      await stage.page.locator('dialog.palette[open]').waitFor()
      await stage.page.keyboard.type('exit')
    },
  },
  {
    name: 'keyboard', narrow: true,
    reach: async (stage) => {
      await stage.page.keyboard.press('Escape')
      await stage.page.locator('dialog.palette').waitFor({ state: 'detached' })
      await stage.page.keyboard.press('?')
      await stage.page.locator('dialog.keyboard[open]').waitFor()
    },
  },
  {
    name: 'account-menu',
    reach: async (stage) => {
      await stage.page.keyboard.press('Escape')
      await stage.page.locator('dialog.keyboard').waitFor({ state: 'detached' })
      await stage.page.locator('.account').click()
      await stage.page.locator('.account-box [role=menu]').waitFor()
    },
  },
  {
    name: 'small-window',
    reach: async (stage) => {
      await stage.page.keyboard.press('Escape')
      await stage.go('#/small')
      await stage.page.locator('.small-window').waitFor()
    },
  },
]

const troubles: readonly Scene[] = [
  {
    name: 'messages', narrow: true,
    reach: async (stage) => {
      await stage.go('#/devices')
      stage.lab.network.control.sendTo(me(stage), { DisplayMessages: {
        full: { Title: 'The network is full', Text: 'No more devices can join until the plan is renewed.', Severity: 'high', ImpactsConnectivity: true, PrimaryAction: { URL: 'https://headscale.example.com/plan', Label: 'Open the plan' } },
        late: { Title: 'Maintenance tonight', Text: 'The server is away from 22:00 to 22:15.', Severity: 'medium' },
      } })
      await stage.page.locator('.health-row').nth(1).waitFor()
    },
  },
  {
    name: 'exit-nodes-blocked', narrow: true,
    reach: async (stage) => {
      stage.lab.network.control.sendTo(me(stage), { DisplayMessages: { '*': null } })
      await stage.go('#/exit-nodes')
      await stage.lab.peer('exit-node').stop()
      await stage.page.locator('.notice.bad').first().waitFor()
    },
  },
  {
    name: 'waiting-approval', narrow: true,
    reach: async (stage) => {
      await stage.api.call('exitNodeAction', { body: { Do: 'clear' } })
      await stage.go('#/devices')
      stage.lab.network.control.tailnet.letIn(me(stage), false)
      await stage.page.locator('.sign-in .steps').waitFor()
    },
  },
  {
    name: 'disconnected',
    reach: async (stage) => {
      stage.lab.network.control.tailnet.letIn(me(stage), true)
      await stage.page.locator('.knot-connected').first().waitFor()
      await stage.page.locator('.connection [role=switch]').click()
      await stage.page.locator('.knot-disconnected').first().waitFor()
    },
  },
  {
    name: 'engine-stopped', narrow: true,
    reach: async (stage) => {
      await stage.page.locator('.connection [role=switch]').click()
      await stage.page.locator('.knot-connected').first().waitFor()
      await stage.lab.stopEngine()
      await stage.page.locator('.engine-stopped').waitFor()
      await stage.page.locator('.what-happened summary').click()
    },
  },
  {
    name: 'sign-in-ended', narrow: true,
    reach: async (stage) => {
      await stage.lab.startEngine()
      await stage.page.locator('.knot-connected').first().waitFor()
      stage.lab.network.control.tailnet.expire(me(stage))
      await stage.page.locator('.knot-attention').first().waitFor()
    },
  },
]

export const SCENES: readonly Scene[] = [...JOINING, ...places, ...DIALOGS, ...above, ...TRANSFERS, ...troubles]
