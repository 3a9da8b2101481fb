/**
 * bowline blocked: what did not get through lately, to this device or from it, and why.
 */
import type { BlockedPage, BlockedRow } from '../../localapi/blocked.ts'
import { EXIT } from '../exit.ts'
import { styled, table } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'
import { age } from '../words.ts'

export const blocked: Verb = {
  name: 'blocked',
  group: 'Look',
  summary: 'show what did not get through lately, and why',
  usage: '[--json]',
  help: 'Connections that others refused, or left without an answer, and attempts of others that this device did not let in; equal ones are one line with their number. The latest come first, since the engine started.',
  examples: [['bowline blocked', 'what was refused, by whom and why']],
  json: '{"Since", "Rows": [{"Direction", "Proto", "Peer", "From", "To", "Reason", "Why", "Count", "First", "Last"}], "Dropped"}',
  flags: {},
  async run({ api, args, json, terminal }: Context) {
    noWords('blocked', args)
    const page = await api.call('blocked')
    if (json) printJson(terminal, page)
    else terminal.out(blockedPage(page, Date.now()))
    return EXIT.ok
  },
}

/** The page as text; `nowMs` is wall time. */
export function blockedPage(page: BlockedPage, nowMs: number): string {
  const part = (direction: BlockedRow['Direction'], head: string): string => {
    const rows = page.Rows.filter(({ Direction }) => Direction === direction)
    return rows.length === 0 ? '' : `${styled('strong', head)}\n${table(rows.map((row) => rowText(row, nowMs)))}\n`
  }
  const parts = [part('out', 'From here'), part('in', 'To this device')].filter((text) => text !== '')
  return parts.length === 0 ? `Nothing was blocked since the engine started (${ago(page.Since, nowMs)}).\n` : parts.join('\n')
}

function rowText({ Why, Count, Last }: BlockedRow, nowMs: number): string[] {
  return [ago(Last, nowMs), Count === 1 ? '' : `${Count}×`, Why]
}

const ago = (since: string, nowMs: number): string => age(nowMs - Date.parse(since))
