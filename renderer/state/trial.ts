/**
 * A change on trial in words: what is tried, what it goes back to, what is lost with why, and what is said aloud and when. Pure.
 */
import type { ExitNodesPage, Loss, TrialPage, WantedChange } from '../../preload/contract.ts'
import { safeText, sentence } from '../../main/words/format.ts'
import { isWord, t } from '../../main/words/words.ts'

/** Seconds at which the time that is left is said aloud. */
const SPOKEN: readonly number[] = [20, 10, 5]

export const secondsLeft = (endsMs: number, nowMs: number): number => Math.max(0, Math.ceil((endsMs - nowMs) / 1000))

/** Of a change what is tried, as a title. */
export function trialTitle({ Prefs: prefs = {}, Mode, SkippedRoutes }: WantedChange, exits: ExitNodesPage | undefined): string {
  if (Mode !== undefined) return t(`trial.title.mode.${Mode}`)
  if (prefs.ExitNodeIDSet === true || prefs.ExitNodeIPSet === true || prefs.AutoExitNodeSet === true) {
    if ((prefs.AutoExitNode ?? '') !== '') return t('trial.title.exit.auto')
    const name = exitName(prefs, exits)
    return name === '' ? t('trial.title.exit.none') : t('trial.title.exit', { name })
  }
  if (prefs.ExitNodeAllowLANAccessSet === true) return t(`trial.title.lan.${prefs.ExitNodeAllowLANAccess === true ? 'on' : 'off'}`)
  if (prefs.RouteAllSet === true) return t(`trial.title.routes.${prefs.RouteAll === true ? 'on' : 'off'}`)
  if (SkippedRoutes !== undefined) return t('trial.title.networks')
  return prefs.CorpDNSSet === true ? t(`trial.title.names.${prefs.CorpDNS === true ? 'on' : 'off'}`) : t('trial.title.other')
}

/** When it goes back, and to what. */
export function trialBack({ Prefs: prefs = {} }: WantedChange, exits: ExitNodesPage | undefined, sec: number): string {
  if (sec === 0) return t('trial.ends')
  const name = prefs.ExitNodeIDSet === true ? exitName(prefs, exits) : ''
  return name === '' ? t('trial.back', { sec }) : t('trial.back.exit', { sec, name })
}

function exitName(prefs: NonNullable<WantedChange['Prefs']>, exits: ExitNodesPage | undefined): string {
  const node = exits?.Nodes.find(({ ID }) => ID !== '' && ID === prefs.ExitNodeID)
  return safeText(node?.Name.split('.')[0] ?? (prefs.ExitNodeID === undefined || prefs.ExitNodeID.startsWith('auto:') ? '' : prefs.ExitNodeID) ?? '', 60) || safeText(prefs.ExitNodeIP ?? '', 60)
}

/** What is said aloud at so many seconds; '' = nothing now. */
export const trialSpoken = (sec: number): string => (SPOKEN.includes(sec) ? t('trial.spoken', { sec }) : '')

export interface LossLine {
  readonly key: string
  readonly words: string
  readonly why: string
  /** Reaching the local network would keep it. */
  readonly lanKeeps: boolean
}

/** One line each, as the engine has ordered them. */
export function lossLines(losses: readonly Loss[], isWholeComputer: boolean): readonly LossLine[] {
  return losses.map((loss, i) => ({ key: `${i} ${loss.What}`, words: lossWords(loss, isWholeComputer), why: lossWhy(loss), lanKeeps: loss.Why.Code === 'lan-not-kept' }))
}

function lossWords({ Kind, Name, Address, Count: n }: Loss, isWholeComputer: boolean): string {
  const [name, address] = [safeText(Name, 60), safeText(Address, 80)]
  switch (Kind) {
    case 'internet':
      return t(isWholeComputer ? 'loss.internet' : 'loss.internet.apps')
    case 'remote-session':
      return address === '' ? t('loss.session.here') : name === 'ssh' || name === 'rdp' || name === 'vnc' ? t(`loss.session.${name}`, { address }) : t('loss.session.other', { name, address })
    case 'printer':
      return name === '' ? t('loss.printer.more', { n }) : address === '' ? t('loss.printer', { name }) : t('loss.printer.at', { name, address })
    case 'local-device':
      if (address === '') return t('loss.device.more', { n })
      return n > 1 ? t('loss.device.many', { n, address }) : name === '' ? t('loss.device', { address }) : t('loss.device.used', { name, address })
    case 'local-network':
      return address === '' ? t('loss.network.more', { n }) : t('loss.network', { name, address })
    case 'other-vpn':
      return t('loss.vpn', { n, name })
    case 'names':
      return address === '' ? t('loss.names.of', { name }) : t('loss.names', { address })
    case 'connection':
      return name !== '' ? t('loss.connection.of', { n, name }) : address !== '' ? t('loss.connection.to', { n, address }) : t('loss.connection', { n })
    case 'gateway':
      return t('loss.gateway', { address })
  }
}

function lossWhy({ Why: { Code, Text, Args = {} } }: Loss): string {
  const id = `loss.why.${Code}`
  if (!isWord(id)) return sentence(Text)
  const values = Object.fromEntries(Object.entries(Args).map(([key, value]) => [key, safeText(value, 200)]))
  try {
    return sentence(t(id, values))
  } catch {
    // An engine of another version may name other things.
    return sentence(Text)
  }
}

/** How the last trial ended, where nobody at this window did it; '' = nothing to say. */
export function trialEnded(last: TrialPage['Last']): string {
  return last === undefined || last.End === 'kept' || last.End === 'undone' ? '' : t(`trial.end.${last.End}`)
}
