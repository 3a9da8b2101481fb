/**
 * debug-portmap over a real socket: its query, its lines, and a caller who does not stay.
 */
import { request } from 'node:http'
import { afterEach, expect, it } from 'vitest'
import type { PortMapTrial } from '../../../main/engine/server/port-map-trial.ts'
import { waitFor } from '../../support/wait.ts'
import { serve, type ServerRig } from './rig.ts'

let api: ServerRig
afterEach(() => api.stop())

it('runs the trial that the query names, and tells its lines', async () => {
  const trials: PortMapTrial[] = []
  api = await serve({
    tryPortMap: async (trial, say) => {
      trials.push(trial)
      say('gw=1')
      await Promise.resolve()
      say('mapping: none')
    },
  })
  const { status, text } = await api.call('GET', 'debug-portmap?duration=1m1.5s&type=pcp&log_http=true&gateway_and_self=10.0.0.1%2F10.0.0.2')
  expect([status, text]).toEqual([200, 'gw=1\nmapping: none\n'])
  await api.call('GET', 'debug-portmap')
  await api.call('GET', 'debug-portmap?type=&duration=250ms&gateway_and_self=')
  expect(trials).toEqual([
    { only: 'pcp', link: { gateway: '10.0.0.1', selfIp: '10.0.0.2' }, timeoutMs: 60_000 },
    { only: undefined, link: undefined, timeoutMs: 5000 },
    { only: undefined, link: undefined, timeoutMs: 250 },
  ])
})

it.each([['type=igd', 'unknown portmap debug type'], ['duration=soon', 'invalid duration'], ['duration=-1s', 'invalid duration'], ['gateway_and_self=10.0.0.1', 'invalid gateway_and_self'], ['gateway_and_self=::1%2F::2', 'invalid gateway_and_self']])('refuses %s', async (query, text) => {
  api = await serve({ tryPortMap: () => Promise.resolve() })
  expect(await api.call('GET', `debug-portmap?${query}`)).toMatchObject({ status: 400, text: `${text}\n` })
})

it('goes on when the caller went away', async () => {
  let say: (line: string) => void = () => {}
  let end: () => void = () => {}
  api = await serve({
    tryPortMap: (_, tell) => {
      say = tell
      return new Promise((resolve) => (end = resolve))
    },
  })
  const caller = request({ socketPath: api.socketPath, path: '/localapi/v0/debug-portmap' })
  caller.on('error', () => {})
  caller.end()
  caller.on('response', () => caller.destroy())
  await waitFor('the caller to be gone', () => caller.destroyed && api.server.connections === 0, { withinMs: 30_000, everyMs: 5 })
  say('to nobody')
  end()
  expect((await api.call('GET', 'status')).status).toBe(200)
})
