/**
 * When were the sources last touched? Used to tell a fresh build in dist/ from a stale one.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The project's root folder, with a closing slash. */
export const root = fileURLToPath(new URL('../../', import.meta.url))

/** Newest modification time in ms among the sources below a folder. */
export function newestSourceMs(folder) {
  let newest = 0
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) newest = Math.max(newest, newestSourceMs(path))
    else if (/\.(tsx?|css|html|svg)$/.test(entry.name)) newest = Math.max(newest, statSync(path).mtimeMs)
  }
  return newest
}

/** Newest source of what build-js.mjs bundles, in ms. */
export const newestProgramMs = () => Math.max(newestSourceMs(`${root}main`), newestSourceMs(`${root}preload`))

/** Whether the bundles are as new as their sources; a package without sources is always fresh. */
export function programIsFresh() {
  if (!existsSync(`${root}dist/.stamp`)) return false
  return !existsSync(`${root}main`) || statSync(`${root}dist/.stamp`).mtimeMs >= newestProgramMs()
}

/** Whether the built window is as new as its sources. */
export function windowIsFresh() {
  const page = `${root}dist/renderer/index.html`
  if (!existsSync(page)) return false
  return !existsSync(`${root}renderer`) || statSync(page).mtimeMs >= newestSourceMs(`${root}renderer`)
}
