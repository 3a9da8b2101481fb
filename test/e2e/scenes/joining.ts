/**
 * Screens of joining: a server's certificate that nobody vouches for, an invitation with its checks, and the wait for the browser.
 */
import { createServer } from 'node:https'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { makeLink } from '../../../main/engine/core/join/link.ts'
import { tlsPair } from '../../support/tls-files.ts'
import type { Scene } from './scene.ts'
import type { Stage } from './stage.ts'

const SEED = new Uint8Array(32).fill(9)
const DAY_MS = 86_400_000

/** Shows the certificate of a server, which then is gone. */
async function certificate({ page }: Stage): Promise<void> {
  const server = createServer(tlsPair('localhost')).listen(0, '127.0.0.1')
  if (!server.listening) await once(server, 'listening')
  await page.locator('form input').first().fill(`https://localhost:${(server.address() as AddressInfo).port}`)
  await page.locator('.certificate').waitFor()
  server.closeAllConnections()
  server.close()
}

/** Opens a join link that leads to a server, as soon as there is room to paste it, until all is checked. */
async function invitation({ page }: Stage, server: string): Promise<void> {
  const nowMs = Date.now()
  const made = makeLink({ server, org: 'Fjord Labs', contact: 'it@fjord.example', signIn: '', pins: [], settings: { names: true, routes: true, exitNode: 'none' }, untilMs: nowMs + DAY_MS }, SEED, nowMs - DAY_MS)
  if (made.kind === 'refused') throw new Error(made.code)
  await page.locator('form input').first().fill(made.text)
  // "Check again" is there once there is nothing left to check.
  await page.locator('.ready .buttons .ghost').nth(1).waitFor()
}

const cancel = ({ page }: Stage): Promise<void> => page.locator('.ready .buttons .ghost').last().click()

export const JOINING: readonly Scene[] = [
  { name: 'welcome', narrow: true, reach: (stage) => stage.page.locator('form input').first().waitFor() },
  { name: 'certificate', narrow: true, reach: certificate },
  { name: 'invitation', narrow: true, reach: (stage) => invitation(stage, stage.lab.network.control.url) },
  {
    name: 'invitation-unready', narrow: true,
    reach: async (stage) => {
      await cancel(stage)
      await invitation(stage, 'https://127.0.0.1:1')
    },
  },
  {
    name: 'waiting-browser', narrow: true,
    reach: async (stage) => {
      await cancel(stage)
      const { page, context, lab } = stage
      await page.locator('form input').first().fill(lab.network.control.url)
      const opened = context.waitForEvent('page')
      await page.locator('button[type=submit]').click()
      await page.locator('.steps').waitFor()
      const signIn = await opened
      await page.bringToFront()
      await signIn.close()
    },
  },
  {
    name: 'devices', narrow: true,
    reach: async (stage) => {
      await stage.lab.signIn('anna')
      await stage.page.locator('[data-device]').nth(4).waitFor()
    },
  },
]
