#!/usr/bin/env node
/**
 * The `bowline` command. Runs the bundle when it is as new as the sources, else the sources themselves
 * (Node 22.18 and newer read TypeScript), else says what to do.
 */
import { existsSync, statSync } from 'node:fs'
import { newestSourceMs, root } from './sources.mjs'

const bundle = `${root}dist/bowline.mjs`
const source = `${root}main/cli/bowline.ts`
const stamp = `${root}dist/.stamp`
const fresh = existsSync(bundle) && existsSync(stamp) && (!existsSync(source) || statSync(stamp).mtimeMs >= newestSourceMs(`${root}main`))
const entry = fresh || !process.features.typescript ? bundle : source

if (existsSync(entry)) {
  const { main } = await import(entry)
  process.exitCode = await main(process.argv.slice(2))
} else {
  console.error('bowline is not built yet. Run: npm run build')
  process.exitCode = 1
}
