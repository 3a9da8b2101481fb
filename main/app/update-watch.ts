/**
 * Joins the update check with the app: where the build names a feed, the setting switches it on, unless the device policy holds it, and
 * what it found is part of the app's state.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { app, net } from 'electron'
import { choiceOf, type PolicySnapshot } from '../localapi/policy.ts'
import { VERSION } from '../localapi/version.ts'
import type { HostState } from '../web/host-state.ts'
import { feedOf, UpdateCheck } from './updates.ts'

const LIMIT_MS = 30_000

/** Answers what to call on each change of the settings or the policy. */
export function watchUpdates(state: HostState, policy: () => PolicySnapshot | undefined): () => void {
  const feed = feedOf(buildFacts().updateFeed)
  if (feed === undefined) return () => {}
  const check = new UpdateCheck(feed, {
    fetch: fetchText, ours: VERSION, random: Math.random, onNewer: (newer) => state.set({ updates: newer ? { newer } : {} }),
  })
  state.set({ updates: {} })
  const follow = (): void => check.set(choiceOf(policy()?.Settings, 'CheckUpdates') ?? state.settings.checkForUpdates)
  follow()
  return follow
}

/** Without cookies or a cache, by the system's proxy; no redirects to elsewhere. */
async function fetchText(url: string, limitBytes: number): Promise<string> {
  const response = await net.fetch(url, { redirect: 'error', credentials: 'omit', cache: 'no-store', signal: AbortSignal.timeout(LIMIT_MS) })
  if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`)
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    size += part.length
    if (size > limitBytes) throw new Error('too large')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function buildFacts(): { readonly updateFeed?: unknown } {
  try {
    return JSON.parse(readFileSync(join(app.getAppPath(), 'package.json'), 'utf8')) as { updateFeed?: unknown }
  } catch {
    return {}
  }
}
