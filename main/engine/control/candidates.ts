/**
 * Which ports of a control server to try for the Noise connection, and when. Pure.
 *
 *   https://host[:P]   plain http on 80 at once, https on P or 443 after 500 ms
 *   http://host[:P]    plain http on P or 80 at once, https on 443 after 500 ms;
 *                      https not for localhost, loopback and private addresses
 *
 * Plain http is no risk: Noise authenticates the server on either. After a Noise dial less than 2 minutes ago an https URL
 * is tried by https only, because something on the way may have broken port 80.
 * Source: tailscale control/controlhttp/client.go, read 2026-11.
 */
import { isIP } from 'node:net'
import { isLinkLocalIp, isLoopbackIp, isPrivateIp, isTailscaleIp } from '../base/ip.ts'
import type { ControlDialPlan } from '../core/tailcfg/types.ts'

const HTTPS_DELAY_MS = 500
export const DIAL_TIMEOUT_MS = 10_000
const MAX_DIAL_TIMEOUT_MS = 60_000

export interface Candidate {
  readonly secure: boolean
  readonly port: number
  /** An address in place of a lookup of the host. */
  readonly address?: string
  /** Started so long after the race began, or as soon as all earlier ones have failed. */
  readonly delayMs: number
  readonly timeoutMs: number
}

/** The host of a URL without brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}

/** Candidates in the order of their delays. */
export function controlCandidates(url: URL, onlySecure: boolean): Candidate[] {
  const host = hostOf(url)
  const isSecureUrl = url.protocol === 'https:'
  const port = url.port === '' ? undefined : Number(url.port)
  const plain: Candidate = { secure: false, port: isSecureUrl ? 80 : (port ?? 80), delayMs: 0, timeoutMs: DIAL_TIMEOUT_MS }
  const secure: Candidate = { secure: true, port: isSecureUrl ? (port ?? 443) : 443, delayMs: HTTPS_DELAY_MS, timeoutMs: DIAL_TIMEOUT_MS }
  if (!isSecureUrl && isLocal(host)) return [plain]
  return onlySecure && isSecureUrl ? [{ ...secure, delayMs: 0 }] : [plain, secure]
}

/** Candidates of the server's own dial plan: addresses with delays, always by https where the URL says so. */
export function planCandidates(plan: ControlDialPlan | undefined, url: URL): Candidate[] {
  const out: Candidate[] = []
  const secure = url.protocol === 'https:'
  for (const entry of plan?.Candidates ?? []) {
    if (entry.IP === undefined || isIP(entry.IP) === 0) continue
    out.push({
      secure,
      port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
      address: entry.IP,
      delayMs: Math.min(MAX_DIAL_TIMEOUT_MS, Math.max(0, (entry.DialStartDelaySec ?? 0) * 1000)),
      timeoutMs: Math.min(MAX_DIAL_TIMEOUT_MS, Math.max(1000, (entry.DialTimeoutSec ?? 5) * 1000)),
    })
  }
  return out.sort((a, b) => a.delayMs - b.delayMs)
}

function isLocal(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost')) return true
  return isIP(host) !== 0 && (isLoopbackIp(host) || isPrivateIp(host) || isLinkLocalIp(host) || isTailscaleIp(host))
}
