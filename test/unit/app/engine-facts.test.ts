/**
 * What the app knows of its engine, against an engine in memory: what is asked after which news, and how much in a large network.
 */
import { afterEach, describe, expect, it } from 'vitest'
import type { LocalApiClient, RequestOptions } from '../../../main/client/local-api-client.ts'
import type { Notify } from '../../../main/localapi/types.ts'
import { EngineFacts, type Facts } from '../../../main/app/engine-facts.ts'
import { waitFor } from '../../support/wait.ts'
import { NO_TRANSFERS } from '../../../main/localapi/transfers.ts'
import { exits, facts as some, peer, profile, status, transfer } from './tray-facts.ts'

const PATIENCE = { withinMs: 30_000 }
const notify = (more: Partial<Notify> = {}): Notify => ({ Version: '', ErrMessage: null, LoginFinished: null, State: null, Prefs: null, NetMap: null, Engine: null, BrowseToURL: null, DriveShares: null, ...more })
const engine = (life: 'running' | 'stopped'): Facts['app'] => ({ ...some().app, engine: life })

let running: EngineFacts | undefined
afterEach(() => running?.stop())

function start(peers: number): { facts: EngineFacts; asked: string[]; state: { now: string } } {
  const asked: string[] = []
  const state = { now: 'Running' }
  const Peer = Object.fromEntries(Array.from({ length: peers }, (_, i) => [`k${i}`, peer(`n${i}`, `device-${i}`)]))
  const client = {
    json: ({ path, signal }: RequestOptions): Promise<unknown> => {
      asked.push(path)
      if (path.startsWith('status')) return Promise.resolve(status(state.now as 'Running', path.includes('peers=false') ? { Peer: null } : { Peer }))
      if (path === 'profiles/') return Promise.resolve([profile('p1', 'anna')])
      if (path === 'profiles/current') return Promise.resolve(profile('p1', 'anna'))
      // There is no news after the first page.
      if (path.includes('after=')) return new Promise((_resolve, reject) => signal!.addEventListener('abort', () => reject(new Error('ended'))))
      return Promise.resolve(exits())
    },
  } as unknown as LocalApiClient
  running = new EngineFacts(client, engine('stopped'), () => undefined)
  return { facts: running, asked, state }
}

describe('the facts of the app', () => {
  it('come when the engine runs: status, accounts, exit nodes; a burst of news is one look', async () => {
    const { facts, asked } = start(3)
    facts.onApp(engine('running'))
    for (let i = 0; i < 100; i++) facts.onNotify(notify())
    await waitFor('all of it', () => facts.value.status && facts.value.profile === 'p1' && facts.value.exit, PATIENCE)
    expect(asked.filter((path) => path.startsWith('status'))).toHaveLength(1)
    expect(asked.filter((path) => path.includes('exit-nodes'))).toEqual(['bowline/exit-nodes', 'bowline/exit-nodes?after=1'])
  })

  it('follow files on their way by the bus alone, and forget them with the engine', async () => {
    const { facts, asked } = start(3)
    facts.onApp(engine('running'))
    await waitFor('the status', () => facts.value.status, PATIENCE)
    const before = asked.filter((path) => path.startsWith('status')).length
    facts.onNotify(notify({ Transfers: { Whole: { ...NO_TRANSFERS, Rows: [transfer('a', 'queued')] } } }))
    for (let i = 0; i < 100; i++) facts.onNotify(notify({ Transfers: { Rows: [transfer('a', 'sending', { Done: i })] }, OutgoingFiles: [] }))
    expect(facts.value.transfers.Rows).toMatchObject([{ ID: 'a', State: 'sending', Done: 99 }])
    facts.onNotify(notify())
    await waitFor('one more look, for the last news', () => asked.filter((path) => path.startsWith('status')).length > before, PATIENCE)
    expect(asked.filter((path) => path.startsWith('status'))).toHaveLength(before + 1)
    facts.onApp(engine('stopped'))
    expect(facts.value.transfers).toBe(NO_TRANSFERS)
  })

  it('keep the devices of a large network while its state is asked for alone', async () => {
    const { facts, asked, state } = start(600)
    facts.onApp(engine('running'))
    await waitFor('the status', () => facts.value.status, PATIENCE)
    state.now = 'Stopped'
    facts.onNotify(notify({ State: 4 }))
    await waitFor('the state', () => facts.value.status?.BackendState === 'Stopped', PATIENCE)
    expect(Object.keys(facts.value.status!.Peer!)).toHaveLength(600)
    expect(asked.filter((path) => path.startsWith('status'))).toEqual(['status', 'status?peers=false'])
  })

  it('forget paths and exit nodes with the engine, and ask again when it is back', async () => {
    const { facts, asked } = start(1)
    facts.onApp(engine('running'))
    await waitFor('exit nodes and status', () => facts.value.exit && facts.value.status, PATIENCE)
    facts.onApp({ ...engine('stopped') })
    expect(facts.value.exit).toBeUndefined()
    expect(facts.value.status).toBeDefined()
    facts.onApp(engine('running'))
    await waitFor('another look', () => asked.filter((path) => path === 'status').length === 2, PATIENCE)
  })
})
