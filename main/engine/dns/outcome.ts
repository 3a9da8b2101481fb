/**
 * What became of a question, for people and for those who only want addresses.
 */
import type { DnsResolver } from '../core/tailcfg/types.ts'
import type { RecordText } from './codec.ts'

/** Which way one of them is asked. */
export type By = 'system' | 'tunnel' | 'https' | 'exit-node'

export interface Asked {
  /** As the server or the system writes it. */
  readonly addr: string
  readonly by: By
  /** Name of the device that carries the question. */
  readonly through: string | undefined
  /** Why it is not asked. */
  readonly refused: string | undefined
}

export interface AttemptView {
  readonly who: Asked
  readonly rcode?: number
  readonly answers: readonly RecordText[]
  readonly latencyMs?: number
  readonly failed?: string
  /** Its answer is the one that counts. */
  readonly used: boolean
}

export interface DnsOutcome {
  /** The whole answer, with the number of the query. */
  readonly bytes: Uint8Array
  readonly rcode: number
  readonly answers: readonly RecordText[]
  readonly from: 'here' | 'cache' | 'resolver' | 'nobody'
  /** One sentence. */
  readonly why: string
  readonly attempts: readonly AttemptView[]
  /** Who was or would be asked; none where the answer is our own. */
  readonly resolvers: readonly DnsResolver[]
  /** What else is to be said: an answer that was dropped, and why. */
  readonly notes: readonly string[]
}
