/**
 * Asks web addresses that are known to answer in one way only, to find a portal in between. Straight, never by a proxy, and
 * no redirect is followed; the first answer of a portal ends it.
 */
import { EngineError } from '../base/errors.ts'
import type { PortalTarget } from '../core/netcheck/captive-portal.ts'
import { isFromPortal, PORTAL_TIMEOUT_MS } from '../core/netcheck/captive-portal.ts'
import type { makeHttpFetch } from './http-fetch.ts'

const NO_CACHE = 'no-cache, no-store, must-revalidate, no-transform, max-age=0'
/** Of a portal's page no more is read than this. */
const MAX_PAGE_BYTES = 65_536

type Fetch = ReturnType<typeof makeHttpFetch>

/** True: a portal answered; false: a target did; undefined: nobody did. Never rejects; at most PORTAL_TIMEOUT_MS. */
export async function probePortal(targets: readonly PortalTarget[], wallMs: number, fetch: Fetch): Promise<boolean | undefined> {
  const stop = new AbortController()
  let wasAnswered = false
  const asked = targets.map(async (target) => {
    const found = await ask(target, wallMs, fetch, stop.signal)
    wasAnswered ||= found !== undefined
    if (found !== true) throw new EngineError('not-found', 'no portal')
  })
  try {
    await Promise.any(asked)
    return true
  } catch {
    return wasAnswered ? false : undefined
  } finally {
    stop.abort()
  }
}

async function ask(target: PortalTarget, wallMs: number, fetch: Fetch, signal: AbortSignal): Promise<boolean | undefined> {
  try {
    const answer = await fetch({
      method: 'GET',
      url: `${target.url}?t=${Math.floor(wallMs / 1000)}`,
      headers: { 'cache-control': NO_CACHE, ...(target.challenge === undefined ? {} : { 'x-tailscale-challenge': target.challenge }) },
      timeoutMs: PORTAL_TIMEOUT_MS,
      maxBytes: MAX_PAGE_BYTES,
      signal,
    })
    return isFromPortal(target, answer)
  } catch (error) {
    // A real answer has no body at all.
    return error instanceof EngineError && error.code === 'control-bad-response' ? true : undefined
  }
}
