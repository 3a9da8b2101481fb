/**
 * bowline/netcheck: what the network here lets through, with the field names of the official command's JSON.
 */
export type { NetcheckJson } from '../engine/core/netcheck/report.ts'
