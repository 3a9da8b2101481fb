/**
 * Asks the system for what plans start from: devices, rules and our routing table. A family that the kernel was built without has none.
 */
import { EngineError } from '../../base/errors.ts'
import type { RunProgram } from './ports.ts'
import { TABLE } from './routes-plan.ts'
import { readLinks, readRoutes, readRules, type Family, type LinkState, type RouteState, type RouteRow, type RuleRow } from './routes-state.ts'

export interface SystemState extends RouteState {
  readonly links: readonly LinkState[]
}

/** A table that was never used, a family that is not there. */
const NOTHING_THERE = /FIB table does not exist|Address family not supported|Operation not supported|No such file/i

/** All of it. Rejects with EngineError when `ip` is missing or fails. */
export async function readSystem(run: RunProgram, device: string, hasV6: boolean): Promise<SystemState> {
  const [links, rules4, rules6, routes4, routes6] = await Promise.all([
    ask(run, ['-json', 'address', 'show']),
    ask(run, ['-4', '-N', '-json', 'rule', 'show']),
    ask(run, ['-6', '-N', '-json', 'rule', 'show']),
    ask(run, ['-4', '-json', 'route', 'show', 'table', String(TABLE)]),
    ask(run, ['-6', '-json', 'route', 'show', 'table', String(TABLE)]),
  ])
  const all = readLinks(links)
  const rules: Record<Family, RuleRow[]> = { 4: readRules(rules4), 6: readRules(rules6) }
  const routes: Record<Family, RouteRow[]> = { 4: readRoutes(routes4, 4), 6: readRoutes(routes6, 6) }
  return { links: all, device: all.find(({ name }) => name === device), rules, routes, hasV6 }
}

async function ask(run: RunProgram, words: readonly string[]): Promise<string> {
  const { code, out, err } = await run('ip', words)
  if (code === 0) return out
  if (NOTHING_THERE.test(err)) return ''
  throw new EngineError(/not permitted/i.test(err) ? 'access-denied' : 'io', `ip ${words.join(' ')} failed: ${err.trim().slice(0, 300)}`)
}
