import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LocalApiClient } from '../../main/client/local-api-client.ts'
import type { AppState, EngineLife } from '../../main/localapi/app-state.ts'
import { VERSION } from '../../main/localapi/version.ts'
import { EngineFeed } from '../../main/web/engine-feed.ts'
import { HostState } from '../../main/web/host-state.ts'
import { waitFor } from '../support/wait.ts'

const PATIENCE = { withinMs: 30_000 }

/** An engine that says which version it is, and can fall silent on connections that stay open. */
function engineAt(socketPath: string, said: { version: string; silent: boolean }): Server {
  return createServer((req, res) => {
    if (said.silent) return
    res.writeHead(200, { 'content-type': 'application/json' })
    if (req.url?.includes('watch-ipn-bus') === true) res.write(`${JSON.stringify({ State: 6 })}\n`)
    else res.end(JSON.stringify({ Version: said.version }))
  }).listen(socketPath)
}

describe('what a host follows of its engine', () => {
  let folder: string
  let server: Server
  let feed: EngineFeed
  let state: HostState
  let lives: EngineLife[]
  const said = { version: '9.9.9', silent: false }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bowline-feed-'))
    Object.assign(said, { version: '9.9.9', silent: false })
    lives = []
    server = engineAt(join(folder, 'engine.sock'), said)
    state = new HostState({ host: 'electron', languages: [], tray: 'unknown' }, undefined, () => {})
    feed = new EngineFeed(new LocalApiClient(join(folder, 'engine.sock')), {
      onNotify: () => {},
      onVersion: (version) => state.setEngineVersion(version),
      onEngine: (life) => {
        lives.push(life)
        state.setEngine(life)
      },
    })
    feed.start()
  })
  afterEach(() => {
    feed.stop()
    server.closeAllConnections()
    server.close()
    rmSync(folder, { recursive: true })
  })

  it('is its version, where that is another than ours', async () => {
    await waitFor('the version', () => state.value.engineVersion === '9.9.9', PATIENCE)
    said.version = VERSION
    await waitFor('no other version', () => state.value.engineVersion === undefined, PATIENCE)
    expect(Object.hasOwn(state.value, 'engineVersion')).toBe(false)
  })

  it('is that it hangs, though its socket is open, and that it answers again', async () => {
    await waitFor('a running engine', () => state.value.engine === 'running', PATIENCE)
    said.silent = true
    await waitFor('it to be called stopped', () => state.value.engine === 'stopped', PATIENCE)
    said.silent = false
    server.closeAllConnections()
    await waitFor('a running engine', () => state.value.engine === 'running', PATIENCE)
    expect(lives.map(({ engine }: Pick<AppState, 'engine'>) => engine)).toEqual(['running', 'stopped', 'running'])
  })
})
