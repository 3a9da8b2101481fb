/**
 * The present path of a peer in one true sentence, with the evidence for it and what would help. Pure.
 */
import type { PathEvidence, Reason } from './evidence.ts'
import { RULES } from './rules.ts'

const MAX_STEPS = 3

/** The reason that the first fitting rule gives. With the machine's evidence alone it says less, and nothing that is not so. */
export function explainPath(e: PathEvidence): Reason {
  for (const rule of RULES) {
    const found = rule.judge(e)
    if (found) return { sentence: found.sentence, rule: rule.name, args: found.args ?? {}, confidence: found.confidence ?? 'high', evidence: found.evidence, steps: (found.steps ?? []).slice(0, MAX_STEPS) }
  }
  throw new Error('the last rule decides always')
}
