import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EngineError } from '../../../main/engine/base/errors.ts'
import { PrivateKey } from '../../../main/engine/base/keys.ts'
import { freshState, parseState, stateText, type SavedProfiles } from '../../../main/engine/backend/saved-state.ts'
import { seededRandom } from '../../sim/clock.ts'
import { ALICE } from './rig.ts'

const random = seededRandom(3)
const options = { os: 'linux', newDiscoKey: () => PrivateKey.fromRandom(random.bytes(32)) } as const

function sample(): SavedProfiles {
  const first = freshState(random, 'linux', 0)
  const nodeKey = PrivateKey.fromRandom(random.bytes(32))
  const { machineKey: _machineKey, ...other } = freshState(random, 'linux', 1)
  return {
    current: { ...first, nodeKey, nodeKeyUrl: 'https://a.example', user: ALICE, nodeId: '5', network: { magicDnsName: 'x', domain: 'y' } },
    others: [{ ...other, nodeKey: PrivateKey.fromRandom(random.bytes(32)), nodeKeyUrl: 'https://b.example' }],
  }
}

/** Every place in a JSON value, as a path. */
function places(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([name, item]) => places(item, [...path, name]))]
}

function changed(value: unknown, path: readonly (string | number)[], to: unknown): unknown {
  const [first, ...rest] = path
  if (first === undefined) return to
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }) as Record<string, unknown>
  copy[String(first)] = changed(copy[String(first)], rest, to)
  return copy
}

describe('the state file', () => {
  test('is read back as it was written', () => {
    const text = stateText(sample())
    const read = parseState(text, options)!
    expect(stateText(read)).toBe(text)
    expect(read.others).toHaveLength(1)
  })

  test('with any value of it replaced by anything is read or refused, never thrown over', () => {
    const whole: unknown = JSON.parse(stateText(sample()))
    const all = places(whole)
    fc.assert(
      fc.property(fc.constantFrom(...all), fc.jsonValue(), (path, junk) => {
        const text = JSON.stringify(changed(whole, path, junk))
        let read: SavedProfiles | undefined
        try {
          read = parseState(text, options)
        } catch (error) {
          expect(error).toBeInstanceOf(EngineError)
        }
        if (read) expect(parseState(stateText(read), options)).toBeDefined()
      }),
      { numRuns: 1000 },
    )
  })

  test('cut at any byte is refused', () => {
    const text = stateText(sample())
    for (let length = 0; length < text.length; length++) expect(parseState(text.slice(0, length), options)).toBeUndefined()
  })

  test.each([
    ['two profiles of one id', { profiles: 'twice' }],
    ['no profile of the current id', { current: 'ffff' }],
    ['an id that is a path', { id: '../../etc/passwd' }],
  ])('with %s is refused', (_name, { profiles, current, id }: { profiles?: string; current?: string; id?: string }) => {
    const file = JSON.parse(stateText(sample())) as { current: string; profiles: { id: string }[] }
    if (profiles) file.profiles.push(file.profiles[0]!)
    if (current) file.current = current
    if (id) file.current = file.profiles[0]!.id = id
    expect(parseState(JSON.stringify(file), options)).toBeUndefined()
  })
})
