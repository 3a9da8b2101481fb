/**
 * bowline/reach: looks at places, one a target at a time, for whoever reads them. A few are kept; one more takes the place of the oldest.
 * A look that nobody has read for a while is given up.
 */
import type { Env } from '../base/env.ts'
import { EngineError } from '../base/errors.ts'
import { printable } from '../base/printable.ts'
import { addressesOf, magicDnsSuffix, shortName } from '../core/plan/names.ts'
import { adminRequest } from '../core/reach/admin-request.ts'
import type { Rung } from '../core/reach/ladder.ts'
import { parseTarget, targetText } from '../core/reach/target.ts'
import type { ReachTarget } from '../core/reach/target.ts'
import { verdictWords } from '../core/reach/words.ts'
import type { ReachPage, ReachRung } from '../../localapi/reach.ts'
import type { Model } from './model.ts'
import { PageReaders } from './page-readers.ts'
import { ping } from './ping.ts'
import type { BackendDeps, FlowReject, ProxyAnswer } from './ports.ts'
import { locate } from './reach-place.ts'
import { ReachRun } from './reach-run.ts'
import type { ToldReject } from './reach-run.ts'

const MAX_RUNS = 8
const MAX_READERS = 16
const MAX_REJECTS = 64
const UNREAD_MS = 5_000

interface Look {
  readonly run: ReachRun
  readonly readers: PageReaders<ReachPage>
  version: number
  forget: () => void
}

interface Deps extends Pick<BackendDeps, 'dataplane' | 'magicsock'> {
  readonly env: Env
  readonly model: Model
  readonly plan: (host: string, port: number) => Promise<ProxyAnswer>
}

export class ReachPages {
  readonly #deps: Deps
  readonly #looks = new Map<string, Look>()
  /** Why places were refused, by address and port; the latest last. */
  readonly #rejects = new Map<string, ToldReject>()
  #version: number

  constructor(deps: Deps) {
    this.#deps = deps
    this.#version = Math.floor(deps.env.clock.wallMs())
  }

  /** A device refused a connection of ours. */
  handleReject({ direction, proto, to, reason }: FlowReject): void {
    if (direction !== 'outbound' || proto !== 6) return
    const place = targetText({ host: to.ip, port: to.port })
    this.#rejects.delete(place)
    this.#rejects.set(place, { reason, atMs: this.#deps.env.clock.nowMs() })
    if (this.#rejects.size > MAX_REJECTS) this.#rejects.delete(this.#rejects.keys().next().value!)
  }

  /** The page of a target: without `after` of a look that goes on or begins now. Throws EngineError('bad-argument') for what is no target. */
  next(text: string, after: number | undefined): { readonly page: Promise<ReachPage>; readonly cancel: () => void } {
    const target = parseTarget(text)
    if ('problem' in target) throw new EngineError('bad-argument', target.problem)
    const name = targetText(target)
    const known = this.#looks.get(name)
    const isOver = known?.run.endedMs !== undefined
    const look = known && !(isOver && after === undefined) ? known : this.#begin(name, target)
    this.#touch(look)
    if (after === undefined || after !== look.version) return { page: Promise.resolve(this.#page(look)), cancel: () => {} }
    return look.readers.wait(after)
  }

  stop(): void {
    for (const look of this.#looks.values()) this.#drop(look)
    this.#looks.clear()
  }

  #begin(name: string, target: ReachTarget): Look {
    const before = this.#looks.get(name)
    if (before) this.#drop(before)
    this.#looks.delete(name)
    for (const [oldest, look] of this.#looks) {
      if (this.#looks.size < MAX_RUNS) break
      this.#drop(look)
      this.#looks.delete(oldest)
    }
    const { env, model, dataplane, magicsock, plan } = this.#deps
    const { clock } = env
    const run: ReachRun = new ReachRun(target, {
      clock, dataplane,
      locate: (wanted) => locate(wanted, model, plan),
      ping: (ip, type, timeoutMs) => ping({ clock, model, dataplane, magicsock }, ip, type, 0, timeoutMs),
      lastReject: (ip, port) => this.#rejects.get(targetText({ host: ip, port })),
      onChange: () => this.#handleChange(look),
    })
    const look: Look = { run, readers: new PageReaders<ReachPage>(clock, MAX_READERS, () => this.#page(look)), version: ++this.#version, forget: () => {} }
    this.#looks.set(name, look)
    void run.go()
    return look
  }

  /** Somebody reads it now: whoever goes on reading waits, or comes back soon. */
  #touch(look: Look): void {
    look.forget()
    if (look.run.endedMs !== undefined) return
    look.forget = this.#deps.env.clock.after(UNREAD_MS, () => (look.readers.isEmpty ? look.run.abort() : this.#touch(look)))
  }

  #drop(look: Look): void {
    look.forget()
    look.run.abort()
    look.readers.stop()
  }

  #handleChange(look: Look): void {
    look.version = ++this.#version
    const { run } = look
    if (run.endedMs !== undefined) {
      look.forget()
      const verdict = run.ladder.verdict
      this.#deps.env.journal.add({ part: 'backend', kind: 'reach', why: verdict ? this.#words(run).text : 'nobody waited for the end', target: targetText(run.target), code: verdict?.code ?? 'failed' })
    }
    look.readers.tell(look.version)
  }

  #words(run: ReachRun): ReturnType<typeof verdictWords> {
    const { place } = run.evidence
    const name = place?.kind === 'peer' || place?.kind === 'unusable' ? place.name : ''
    return verdictWords(run.ladder.verdict!, run.target, name, place?.kind !== 'peer' || place.isItself)
  }

  #page({ run, version }: Look): ReachPage {
    const { verdict, rungs } = run.ladder
    const { name, place } = run.evidence
    const { netMap } = this.#deps.model
    const device = run.found && netMap && place?.kind === 'peer' ? { ID: run.found.node.StableID, Key: run.found.node.Key, Name: shortName(run.found.node, magicDnsSuffix(netMap.self)), IsItself: place.isItself } : undefined
    const words = verdict && this.#words(run)
    const request = verdict?.code === 'policy' ? this.#request(run, words!.text) : undefined
    return {
      Version: version, Target: targetText(run.target), Host: run.target.host, Port: run.target.port,
      ...(name && name.kind !== 'missing' ? { Address: name.ip } : {}),
      ...(device ? { Device: device } : {}),
      Started: new Date(run.startedMs).toISOString(),
      ...(run.endedMs === undefined ? {} : { Ended: new Date(run.endedMs).toISOString() }),
      Rungs: rungs.map(rungJson),
      ...(verdict ? { Verdict: { Code: verdict.code, ...(verdict.rung ? { Rung: verdict.rung } : {}), Text: words!.text, More: words!.more, ...(verdict.why === undefined ? {} : { Why: printable(verdict.why) }) } } : {}),
      ...(request === undefined ? {} : { Request: request }),
    }
  }

  #request(run: ReachRun, verdict: string): string | undefined {
    const { netMap } = this.#deps.model
    if (!netMap || !run.found) return undefined
    const { self } = netMap
    const { ip, node } = run.found
    const suffix = magicDnsSuffix(self)
    const isItself = addressesOf(node).includes(ip)
    return adminRequest({
      target: run.target, login: netMap.userProfiles.get(self.User)?.LoginName ?? '', device: shortName(self, suffix), address: addressesOf(self)[0] ?? '', tags: self.Tags ?? [],
      to: { name: isItself ? shortName(node, suffix) : `a machine behind ${shortName(node, suffix)}`, address: ip, tags: isItself ? (node.Tags ?? []) : [] },
      verdict, at: new Date(run.endedMs ?? this.#deps.env.clock.wallMs()).toISOString(),
    })
  }
}

function rungJson({ name, state, value, latencyMs, ageMs }: Rung): ReachRung {
  return {
    Name: name, State: state,
    ...(value === undefined ? {} : { Value: value }),
    ...(latencyMs === undefined ? {} : { LatencyMs: Math.round(latencyMs * 1000) / 1000 }),
    ...(ageMs === undefined ? {} : { AgeMs: Math.round(ageMs) }),
  }
}
