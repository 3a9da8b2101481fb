/**
 * Notifications at work: facts become causes, the machine decides, the system shows them; what the window is to show goes into the
 * app's state.
 */
import type { AppNotice } from '../../localapi/app-state.ts'
import type { Action } from '../actions.ts'
import type { Facts } from '../engine-facts.ts'
import { variant, type SessionBus } from '../session-bus.ts'
import { BusNotices } from './bus-notices.ts'
import { causesOf, nextLookMs, NOTHING, remember } from './causes.ts'
import { ElectronNotices } from './electron-notices.ts'
import { NoticeMachine, type Cause, type Effect } from './machine.ts'
import type { NoticeSink, SinkFacts } from './sink.ts'

export interface NoticesDeps {
  readonly bus: SessionBus | undefined
  readonly icon: string
  readonly run: (action: Action) => void
  /** What the window shows now, and whether the system has refused to show one. */
  readonly setState: (notices: readonly AppNotice[], refused: boolean) => void
  /** How many causes there are that a person wants to be told of, and how many of them want something done. */
  readonly setBadge: (count: number, acts: number) => void
}

export interface RunningNotices {
  update(facts: Facts): void
  /** The main window came on screen or left it. */
  setVisible(visible: boolean): void
  /** The person used one in the window: an action by its place; undefined = closed it. */
  use(key: string, action: number | undefined): void
  stop(): void
}

export function startNotices({ bus, icon, run, setState, setBadge }: NoticesDeps): RunningNotices {
  let memory = NOTHING
  let facts: Facts | undefined
  let machine: NoticeMachine | undefined
  let timer: NodeJS.Timeout | undefined
  let visible = false
  let refused = false
  let told: readonly Cause[] = []
  const act = (change: (machine: NoticeMachine) => void): void => {
    if (!machine) return
    change(machine)
    for (const effect of machine.takeEffects()) perform(effect)
    plan()
  }
  const use = (key: string, action: number | 'open' | undefined): void => {
    const cause = machine?.causeOf(key)
    act((one) => one.handleClosed(Date.now(), key))
    if (!cause || action === undefined) return
    const chosen = action === 'open' ? cause.open : cause.actions[action]?.action
    if (chosen) run(chosen)
  }
  const sinkFacts: SinkFacts = {
    onUsed: use,
    onClosed: (key) => act((one) => one.handleClosed(Date.now(), key)),
    onShown() {
      if (!refused) return
      refused = false
      tellWindow()
    },
    onFailed: (key) => {
      refused = true
      act((one) => one.handleFailed(Date.now(), key))
      tellWindow()
    },
  }
  const sink: NoticeSink = process.platform === 'linux' ? new BusNotices({ bus, icon, variant }, sinkFacts) : new ElectronNotices(sinkFacts)
  const tellWindow = (): void =>
    setState(told.map(({ key, title, body, actions }) => ({ key, title, body, actions: actions.map(({ label }) => label) })), refused)
  const perform = (effect: Effect): void => {
    switch (effect.kind) {
      case 'show':
        return sink.show(effect.cause)
      case 'close':
        return sink.close(effect.key)
      case 'badge':
        return setBadge(effect.count, effect.acts)
      case 'window':
        told = effect.causes
        return tellWindow()
    }
  }
  const look = (): void => {
    if (!facts) return
    const [now, nowMs] = [facts, Date.now()]
    if (!machine) {
      machine = new NoticeMachine(now.app.settings.notifications)
      machine.handleVisible(nowMs, visible)
    }
    memory = remember(memory, now, nowMs)
    act((one) => {
      one.handleLevels(nowMs, now.app.settings.notifications)
      one.handleCauses(nowMs, causesOf(memory, now, nowMs))
    })
  }
  const plan = (): void => {
    clearTimeout(timer)
    const nowMs = Date.now()
    const [lookMs, showMs] = [facts && nextLookMs(memory, facts, nowMs), machine?.nextTimeout()]
    const nextMs = Math.min(lookMs ?? Infinity, showMs ?? Infinity)
    if (nextMs < Infinity) timer = setTimeout(look, Math.min(Math.max(nextMs - nowMs, 0) + 1, 2 ** 31 - 1))
  }
  return {
    update(next) {
      facts = next
      look()
    },
    setVisible(now) {
      visible = now
      act((one) => one.handleVisible(Date.now(), now))
    },
    use,
    stop() {
      clearTimeout(timer)
      sink.stop()
    },
  }
}
