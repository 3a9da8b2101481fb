/**
 * The reason for a path in the person's language: every rule, step and fact that the engine can say has its words, and they hold no more
 * and no less than what the rule found.
 */
import { afterEach, describe, expect, it } from 'vitest'
import type { PathEvidence } from '../../main/engine/core/path/reason/evidence.ts'
import { RULES } from '../../main/engine/core/path/reason/rules.ts'
import { twoSides } from '../../main/engine/core/path/reason/sides.ts'
import type { PathPage } from '../../main/localapi/types.ts'
import { chinese } from '../../main/words/chinese.ts'
import { english, type Catalogue } from '../../main/words/english.ts'
import { french } from '../../main/words/french.ts'
import { german } from '../../main/words/german.ts'
import { japanese } from '../../main/words/japanese.ts'
import { spanish } from '../../main/words/spanish.ts'
import { isWord, speak, type Language } from '../../main/words/words.ts'
import { sideLabel, sideValue, stepWords, verdict, whoWords } from '../../renderer/state/verdict.ts'

const CATALOGUES: readonly (readonly [Language, Catalogue])[] = [['en', english], ['de', german], ['fr', french], ['es', spanish], ['ja', japanese], ['zh-CN', chinese]]

function page(rule: string, args: PathPage['reason']['args'] = {}, more: Partial<PathPage> = {}): PathPage {
  const reason = { sentence: 'relayed: for a reason of its own', rule, args, confidence: 'high', evidence: [], steps: [] } as const
  return { name: 'db', kind: 'relay', regionCode: 'fra', active: true, reason, ...more } as unknown as PathPage
}
const said = (given: PathPage, kind: 'relay' | 'idle' | 'direct' = 'relay'): string => verdict<string>(given, kind, (name) => `<${name}>`, 'hard NAT').join('')

describe('a verdict', () => {
  afterEach(() => speak('en', english))

  it.each(CATALOGUES)('has a sentence for every rule in %s, with the names where the rule has them', (language, catalogue) => {
    speak(language, catalogue)
    for (const { name } of RULES) {
      const sentence = said(page(name))
      expect(sentence, name).toMatch(/[.。]$/)
      expect(sentence, name).not.toMatch(/[{}]|undefined/)
    }
    expect(said(page('own-no-udp'))).toContain('<fra>')
    expect(said(page('one-way'))).toContain('<db>')
  })

  it.each([
    ['hard-both', { tried: 3 }, 'Relayed through <fra>, because your network and the one of <db> both use hard NAT.'],
    ['own-no-udp', {}, 'Relayed through <fra>, because this network lets no UDP out.'],
    ['hard-one', { tried: 4, side: 'there' }, 'Relayed through <fra>, because the network of <db> uses hard NAT and none of its 4 addresses replied.'],
    ['trying', { tried: 0, known: 2 }, 'Relayed through <fra> for now: 2 addresses are known and none has been tried yet.'],
    ['unknown', { tried: 1, missing: 'ports-both' }, 'Relayed through <fra>. We do not know why yet: neither network showed how it gives out ports.'],
    ['private-only', { foreign: 'yes' }, 'Relayed through <fra>, because <db> named only addresses of private networks that are not ours.'],
  ] as const)('says %s as a person reads it', (rule, args, sentence) => {
    expect(said(page(rule, args))).toBe(sentence)
  })

  it('says what a direct path leads through', () => {
    expect(said(page('direct', { place: 'local-network' }, { kind: 'direct' }), 'direct')).toBe('Direct: <db> answers on the same network.')
  })

  it('says of a path that rests that it is idle, whatever it was', () => {
    expect(said(page('direct', { place: 'ipv4' }), 'idle')).toMatch(/^Idle: /)
  })

  it('says a rule that it does not know in the words of the engine', () => {
    expect(said(page('of-tomorrow'))).toBe('Relayed: for a reason of its own.')
  })

  it('shows a hostile name as harmless text', () => {
    expect(said(page('one-way', {}, { name: 'a\u202Eb' }))).toContain('<a\uFFFDb>')
  })

  it('has words for every fact of both sides', () => {
    const report = { udp: false, ipv4: true, ipv6: false, ipv4CanSend: true, ipv6CanSend: true, osHasIpv6: true, mappingVariesByDestIp: true, captivePortal: undefined, upnp: false, pmp: undefined, pcp: undefined, globalV4: undefined }
    const good = { ...report, udp: true, ipv6: true, mappingVariesByDestIp: false }
    const rows = [twoSides(report, { WorkingUDP: false, WorkingIPv6: false, MappingVariesByDestIP: true, UPnP: false }), twoSides(good, { WorkingUDP: true, MappingVariesByDestIP: false, OSHasIPv6: false, WorkingIPv6: false }), twoSides(undefined, undefined), twoSides({ ...good, osHasIpv6: false, ipv6: false, mappingVariesByDestIp: undefined }, {})].flat()
    speak('de', german)
    for (const { label, here, there } of rows) {
      expect(sideLabel(label), label).not.toBe(label === 'IPv6 works' ? '' : label)
      for (const { value } of [here, there]) expect(isWord(`reason.value.${value.replaceAll(' ', '-')}`), value).toBe(true)
    }
    expect(sideValue('UPnP, PCP')).toBe('UPnP, PCP')
  })

  it('has words for every step and for who has to do it', () => {
    const hard: PathEvidence['machine'] = { path: { kind: 'relay', region: 1 }, noDirect: undefined, latencyMs: undefined, candidates: [], answered: 0, misses: 0, isActive: true, lostWhy: undefined, isGone: false }
    const steps = RULES.flatMap((rule) => rule.judge({ machine: { ...hard, noDirect: 'expired' } })?.steps ?? [])
    expect(steps.length).toBeGreaterThan(0)
    speak('de', german)
    for (const step of steps) {
      expect(stepWords(step)).not.toBe(step.step)
      expect(whoWords(step.who)).not.toBe(step.who)
    }
  })
})
