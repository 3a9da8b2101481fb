/**
 * The whole computer and changes on trial, told to the window by hand: no test takes the computer that it runs on.
 */
import type { Loss, MachinePage, TrialPage } from '../../../main/localapi/machine.ts'
import type { Scene } from './scene.ts'
import type { Stage } from './stage.ts'

export const APPS: MachinePage = {
  Mode: 'apps', State: 'off', Cannot: { Code: 'no-rights', Text: 'no rights' }, IsService: false, Device: '', Mtu: 0, Addresses: [], Routes: [], Bypass: [], Internet: 'direct', Firewall: 'none',
  Names: { Through: 'none', All: false, Domains: [], Search: [], Own: [] }, Forwarding: { By: 'none', SourceNat: false }, Problems: [],
}

export const WHOLE: MachinePage = {
  ...APPS, Mode: 'whole', State: 'on', Device: 'bowline0', Mtu: 1280, Addresses: ['100.64.0.7/32', 'fd7a:115c:a1e0::7/128'], Firewall: 'nftables', IsService: true,
  Names: { Through: 'systemd-resolved', All: false, Domains: ['fjord.example'], Search: [], Own: ['192.168.1.1'] },
  Problems: [{ Code: 'rules-gone', Text: 'rules' }, { Code: 'names-two-owners', Text: 'names' }],
}

const LAN = { Code: 'lan-not-kept', Text: 'LAN', Args: { prefix: '192.168.1.0/24' } }
const LOSSES: readonly Loss[] = [
  { Kind: 'remote-session', What: 'remote desktop from 192.168.1.44', Name: 'rdp', Address: '192.168.1.44', Count: 1, Why: LAN, IsWayIn: true },
  { Kind: 'printer', What: 'HP-2 (192.168.1.20)', Name: 'HP-2', Address: '192.168.1.20', Count: 1, Why: LAN, IsWayIn: false },
  { Kind: 'connection', What: '12 connections of firefox', Name: 'firefox', Address: '', Count: 12, Why: { Code: 'through-exit', Text: 'exit', Args: { exit: 'exit-nyc' } }, IsWayIn: false },
]

/** A choice of an exit node on trial, with 14 of 20 seconds left. */
export function trialOf(exitId: string, leftMs = 14_000): TrialPage {
  return {
    Trial: {
      ID: 't1', Until: new Date(Date.now() + leftMs).toISOString(), LeftMs: leftMs, Losses: LOSSES,
      Change: { Prefs: { ExitNodeID: exitId, ExitNodeIDSet: true } }, Back: { Prefs: { ExitNodeID: '', ExitNodeIDSet: true } },
    },
  }
}

async function tryExit(stage: Stage): Promise<void> {
  await stage.tell({ Machine: WHOLE, Trial: trialOf(await stage.idOf('exit-node')) })
  await stage.page.locator('dialog.trial[open]').waitFor()
}

export const MACHINE: readonly Scene[] = [
  {
    name: 'trial', narrow: true,
    reach: async (stage) => {
      await stage.go('#/exit-nodes')
      await tryExit(stage)
    },
  },
  {
    name: 'machine-on', narrow: true,
    reach: async (stage) => {
      await stage.tell({ Trial: {} })
      await stage.go('#/settings/connection')
      await stage.page.locator('.mode-problems').waitFor()
    },
  },
  {
    name: 'machine-holding',
    reach: async (stage) => {
      await stage.go('#/devices')
      await stage.tell({ Machine: { ...WHOLE, State: 'holding', Internet: 'blocked', Problems: [] } })
      await stage.page.locator('.notice.bad').first().waitFor()
    },
  },
  {
    name: 'small-window-holding',
    reach: async (stage) => {
      await stage.go('#/small')
      await stage.page.locator('.small-line.grave').waitFor()
    },
  },
  {
    name: 'machine-cannot', narrow: true,
    reach: async (stage) => {
      await stage.tell({ Machine: APPS })
      await stage.go('#/settings/connection')
      await stage.page.locator('.mode-cannot').waitFor()
    },
  },
]
