import { describe, expect, it } from 'vitest'
import { engineReport, storyAfter, storyLines } from '../../renderer/state/engine-story.ts'
import { serverWords, type ServerFacts } from '../../renderer/state/server-words.ts'
import { DEFAULT_SETTINGS } from '../../main/localapi/app-settings.ts'
import type { AppState } from '../../preload/contract.ts'

const nowMs = Date.parse('2026-05-05T12:00:30Z')
const facts = (over: Partial<ServerFacts>): ServerFacts => ({
  app: { engine: 'running' }, status: { BackendState: 'Running' }, warnings: null, paths: { paths: [], serverHeard: '2026-05-05T12:00:18Z' }, nowMs, ...over,
})
const lost = { WarnableCode: 'not-in-map-poll', Severity: 'medium', Title: 'Server not reachable', Text: 'The server cannot be reached.', BrokenSince: '2026-05-05T11:58:00Z' } as const
const app = (over: Partial<AppState>): AppState => ({ engine: 'running', sinceMs: 0, restarts: 0, host: 'web', platform: 'linux', version: '1', settings: DEFAULT_SETTINGS, languages: [], tray: 'none', ...over })

describe('the server in the sidebar', () => {
  it('is heard so long ago as the engine says', () => {
    expect(serverWords(facts({})).words).toBe('heard 12 s ago')
    expect(serverWords(facts({ paths: { paths: [], serverHeard: '2026-05-05T12:00:30Z' } })).words).toBe('heard just now')
  })

  it('is not reachable since a time, with the reason, whatever was heard before', () => {
    expect(serverWords(facts({ warnings: { 'not-in-map-poll': lost } }))).toMatchObject({ why: 'The server cannot be reached.' })
    expect(serverWords(facts({ warnings: { 'not-in-map-poll': lost } })).words).toMatch(/^not reachable since \d\d:\d\d$/)
  })

  it('is not guessed', () => {
    expect(serverWords(facts({ app: { engine: 'stopped' } })).words).toBe('not checked yet')
    expect(serverWords(facts({ status: { BackendState: 'Stopped' } })).words).toBe('not checked yet')
    expect(serverWords(facts({ paths: undefined })).words).toBe('reachable')
  })
})

describe('what happened to the engine', () => {
  it('is kept change by change, and not longer than the last twelve', () => {
    let story = storyAfter([], app({}), 1000)
    expect(storyAfter(story, app({}), 2000)).toBe(story)
    story = storyAfter(story, app({ engine: 'stopped', code: 'engine-hung', message: 'ended' }), 3000)
    expect(storyLines(story).at(-1)).toMatch(/^\d\d:\d\d:\d\d stopped: engine-hung: ended$/)
    for (let i = 0; i < 40; i++) story = storyAfter(story, app({ engine: i % 2 === 0 ? 'running' : 'stopped' }), i)
    expect(story).toHaveLength(12)
  })

  it('makes a report with versions and times', () => {
    const report = engineReport(app({ engine: 'stopped', version: '0.1.0', engineVersion: '0.0.9', restarts: 2 }), [], nowMs)
    expect(report).toContain('Bowline 0.1.0 (web, linux), engine 0.0.9')
    expect(report).toContain('restarts 2')
  })
})
