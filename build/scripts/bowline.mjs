#!/usr/bin/env node
/**
 * The `bowline` command. Runs the bundle when it is as new as the sources, else the sources themselves
 * (Node 22.18 and newer read TypeScript), else says what to do.
 */
import { existsSync } from 'node:fs'
import * as module from 'node:module'
import { programIsFresh, root } from './sources.mjs'

const bundle = `${root}dist/bowline.mjs`
const source = `${root}main/cli/bowline.ts`
const entry = (existsSync(bundle) && programIsFresh()) || !process.features.typescript ? bundle : source

// Compiled code is kept between runs where Node can (22.8 and newer): a fifth of the start-up time. It lies beside the
// bundle: whoever may write there may change the program anyway, which is not true of the system's temporary folder.
module.enableCompileCache?.(`${root}dist/.compile-cache`)

if (existsSync(entry)) {
  const { main } = await import(entry)
  process.exitCode = await main(process.argv.slice(2))
} else {
  console.error('bowline is not built yet. Run: npm run build')
  process.exitCode = 1
}
