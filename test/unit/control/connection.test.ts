/**
 * What a connection to a control server remembers of the server.
 */
import { expect, test } from 'vitest'
import { PrivateKey } from '../../../main/engine/base/keys.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import { ControlConnection } from '../../../main/engine/control/connection.ts'
import { HandClock, seededRandom } from '../../sim/clock.ts'

const kept = new Map<string, Uint8Array>()

/** A new engine's connection to a server whose key begins with this byte; whether the server has another key than before. */
function isChanged(url: string, first: number): Promise<boolean> {
  const page = JSON.stringify({ publicKey: `mkey:${first.toString(16).padStart(2, '0')}${'00'.repeat(31)}` })
  const never = (): never => {
    throw new Error('nothing is dialled')
  }
  const connection = new ControlConnection({
    env: { clock: new HandClock(), random: seededRandom(1), log: silentLog, journal: { add: () => {} } },
    http: () => Promise.resolve({ status: 200, headers: {}, body: new TextEncoder().encode(page) }),
    dial: never,
    http2: never,
    keptKeys: { load: (origin) => kept.get(origin), keep: (origin, key) => void kept.set(origin, key) },
  }, new URL(url), PrivateKey.fromRandom(new Uint8Array(32).fill(2)))
  return connection.fetchServerKey(new AbortController().signal)
}

test.each(['https://hs.example.com', 'http://hs.example.com:8080'])('%s is known again by the next engine, and a new key of it is noticed', async (url) => {
  expect(await isChanged(url, 1)).toBe(false)
  expect(await isChanged(url, 1)).toBe(false)
  expect(await isChanged(url, 2)).toBe(true)
  expect(await isChanged(url, 2)).toBe(false)
})
