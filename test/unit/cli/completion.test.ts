/**
 * What completion offers, by the table and by what the engine knows.
 */
import { describe, expect, test } from 'vitest'
import { main } from '../../../main/cli/bowline.ts'
import { candidates } from '../../../main/cli/candidates.ts'
import { VERBS } from '../../../main/cli/verbs.ts'
import { recorded } from '../backend/rig.ts'
import { serve } from '../server/rig.ts'

const values = (...words: string[]): string[] => candidates(VERBS, words).fixed.map(([value]) => value)

describe('what fits', () => {
  test('verbs, by their beginning, without those that are refused or hidden', () => {
    expect(values('st')).toEqual(['status'])
    expect(values('')).toEqual(expect.arrayContaining(['up', 'set', 'help']))
    expect(values('')).not.toEqual(expect.arrayContaining(['cert']))
    expect(values('__')).toEqual([])
  })

  test('verbs below a verb, also behind flags and their values', () => {
    expect(values('debug', '--socket', 'status', 'j')).toEqual(['journal'])
    expect(values('--json', 'switch', '')).toEqual(['list', 'remove'])
    expect(values('debug', 'journal', '')).toEqual(expect.arrayContaining(['--n']))
    expect(candidates(VERBS, ['debug', 'path', '']).also).toBe('device')
  })

  test('flags of the verb, those for all, none twice, none that is hidden', () => {
    expect(values('set', '--sh')).toEqual(['--shields-up'])
    expect(values('set', '--shields-up', '--sh')).toEqual([])
    expect(values('up', '--')).not.toEqual(expect.arrayContaining(['--authkey', '--accept-risk']))
    expect(values('status', '--js')).toEqual(['--json'])
  })

  test('values of a flag, in both forms', () => {
    expect(values('set', '--netfilter-mode', '')).toEqual(['on', 'nodivert', 'off'])
    expect(values('set', '--netfilter-mode=o')).toEqual(['--netfilter-mode=on', '--netfilter-mode=off'])
    expect(values('set', '--shields-up=')).toEqual(['--shields-up=true', '--shields-up=false'])
  })

  test('names of verbs behind help, of shells behind completion, of settings behind get', () => {
    expect(values('help', 'exi')).toEqual(['exit-node', 'exit-codes'])
    expect(values('completion', 'f')).toEqual(['fish'])
    expect(values('get', 'netf')).toEqual(['netfilter-mode'])
  })

  test('devices and accounts are asked for', () => {
    expect(candidates(VERBS, ['ping', 'n']).also).toBe('device')
    expect(candidates(VERBS, ['set', '--exit-node=n'])).toMatchObject({ also: 'exit-node', prefix: '--exit-node=', begun: 'n' })
    expect(candidates(VERBS, ['switch', 'remove', '']).also).toBe('profile')
  })
})

test('the hidden verb names devices that need no quoting, and those alone', async () => {
  const api = await serve()
  try {
    api.join()
    const peer = recorded('02-initial-one-peer.json').Peers![0]!
    api.rig.map({ PeersChanged: [{ ...peer, ID: 77, StableID: '77', Key: `nodekey:${'cd'.repeat(32)}`, Name: '$(touch x).lab.internal.' }] })
    expect(await complete(api.socketPath, 'ping', '')).toEqual([0, 'n2\t100.64.0.2\n'])
    expect(await complete('/nowhere', '--socket', api.socketPath, 'ping', 'n')).toEqual([0, 'n2\t100.64.0.2\n'])
    expect(await complete(api.socketPath, 'set', '--exit-node=a')).toEqual([0, '--exit-node=auto:any\tthe one that fits best\n'])
  } finally {
    await api.stop()
  }
})

test('without an engine it offers nothing, and fails nothing', async () => {
  expect(await complete('/nowhere', 'ping', 'n')).toEqual([0, ''])
})

async function complete(socket: string, ...words: string[]): Promise<[code: number, out: string]> {
  let out = ''
  const code = await main(['__complete', '--', ...words], {
    out: (text) => void (out += text), err: () => undefined, interrupted: new AbortController().signal,
    system: { platform: 'linux', uid: 1000, home: '/home/x', user: 'x', env: { BOWLINE_SOCKET: socket } },
  })
  return [code, out]
}
