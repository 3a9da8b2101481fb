/**
 * Help as it is read, whole: a change of a word shows in test/unit/cli/help. Write the files anew with `npx vitest -u`.
 */
import { describe, expect, test } from 'vitest'
import { EXIT } from '../../../main/cli/exit.ts'
import { overview, topic, TOPICS, verbHelp } from '../../../main/cli/help.ts'
import { widthOf } from '../../../main/cli/text.ts'
import type { Verb } from '../../../main/cli/verb.ts'
import { VERBS } from '../../../main/cli/verbs.ts'

const PAGES: readonly (readonly [path: string, verb: Verb])[] = VERBS.filter((verb) => verb.group).flatMap((verb): [string, Verb][] => [[verb.name, verb], ...(verb.subs ?? []).map((sub): [string, Verb] => [`${verb.name} ${sub.name}`, sub])])

describe('help', () => {
  test('of everything', async () => {
    await expect(overview(VERBS)).toMatchFileSnapshot('help/overview.txt')
  })

  test.each(PAGES)('of %s', async (path, verb) => {
    await expect(verbHelp(verb, path)).toMatchFileSnapshot(`help/${path.replaceAll(' ', '-')}.txt`)
  })

  test.each(Object.keys(TOPICS))('about %s', async (name) => {
    await expect(topic(name)).toMatchFileSnapshot(`help/topic-${name}.txt`)
  })

  test('about exit codes names each of them', () => {
    for (const code of Object.values(EXIT)) expect(topic('exit-codes')).toMatch(new RegExp(`^ +${code}  \\w`, 'm'))
  })

  test.each([40, 60, 80])('fits a terminal of %i columns, but for examples and values', (columns) => {
    const long = PAGES.flatMap(([path, verb]) => verbHelp(verb, path, columns).split('\n')).filter((line) => widthOf(line) > columns)
    expect(long.filter((line) => !/bowline |^ +--|source <|Usage:|[/{"\\]/.test(line))).toEqual([])
  })

  test('says of every verb what it does, and examples parse as verbs', () => {
    for (const [path, verb] of PAGES) {
      expect(verb.summary, path).not.toBe('')
      expect(verb.summary, path).toMatch(/[^.]$/)
      for (const [command] of verb.examples ?? []) expect(command, path).toContain(`bowline ${path}`)
    }
  })
})
