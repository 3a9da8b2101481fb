/**
 * The full names that a short one may stand for, in order. Pure.
 *
 *   more labels than one, or a trailing dot    itself
 *   one label                                  with each search domain behind it
 *
 * A name of one label is never asked for as it is: nobody upstream has one, and it would tell them what somebody looks for.
 */
import type { DnsPlan } from '../plan/dns.ts'
import { findHost } from './decide.ts'
import { plainName } from './message.ts'

const MAX_TRIED = 6

/** Names to look up until one exists; empty for a name of one label that has nowhere to go. */
export function candidatesOf(plan: DnsPlan, given: string): readonly string[] {
  const name = plainName(given)
  if (name === '' || name.includes('.') || given.endsWith('.') || findHost(plan, name) || name === 'localhost') return [name]
  return [...new Set(plan.search.map((domain) => `${name}.${domain}`))].slice(0, MAX_TRIED)
}
