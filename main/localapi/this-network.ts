/**
 * What the window shows of the network here: the netcheck with the field names of the official command's JSON, the names of the relays,
 * and what a look at the server in use saw of everything in between.
 */
import type { NetcheckJson } from '../engine/core/netcheck/report.ts'
import type { PreflightStep } from './preflight.ts'

export type { NetcheckJson } from '../engine/core/netcheck/report.ts'

export interface ThisNetwork {
  readonly Report: NetcheckJson
  /** Empty: the server could not be looked at. */
  readonly Steps: readonly PreflightStep[]
  readonly Relays: readonly { readonly Region: number; readonly Code: string; readonly Name: string }[]
}
