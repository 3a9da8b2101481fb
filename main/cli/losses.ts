/**
 * What a change takes away, in words for the terminal, and changes on trial: made at once, and undone unless they are kept.
 */
import type { Loss, PreviewPage, Trial, TrialPage, WantedChange } from '../localapi/machine.ts'
import { CliError, EXIT, usageError } from './exit.ts'
import type { ExitCode } from './exit.ts'
import type { FlagSpec } from './flags.ts'
import { printable, styled } from './text.ts'
import type { Context } from './verb.ts'
import { printJson } from './verb.ts'

export const RISK_FLAGS: FlagSpec = {
  trial: { kind: 'number', bare: '20', max: 120, value: 'SECONDS', help: 'make the change for 5 to 120 seconds (20 without a number); it undoes itself unless you keep it' },
  yes: { kind: 'bool', help: 'with --trial: keep it without a question once it is made and the engine still answers' },
  'accept-risk': { kind: 'text', bare: 'lose-ssh', value: 'lose-ssh', help: 'make the change although the SSH session that you use here would end' },
}

const POLL_MS = 250
/** After its end the engine may take a moment to say so. */
const LATE_MS = 10_000

/** Losses as lines; none as one line. */
export function lossesText({ Losses, IsRisky, Refused, RoutesAdded, RoutesRemoved, Internet }: PreviewPage): string {
  if (Refused) return `It cannot be done: ${printable(Refused.Text)}`
  const routes = [...(RoutesAdded.length > 0 ? [`Into your network would go: ${few(RoutesAdded)}`] : []), ...(RoutesRemoved.length > 0 ? [`No more into your network would go: ${few(RoutesRemoved)}`] : [])]
  const internet = Internet.Before === Internet.After ? [] : [`Internet: ${INTERNET[Internet.Before]} → ${INTERNET[Internet.After]}`]
  const head = Losses.length === 0 ? 'It would take nothing from you.' : 'You would lose:'
  const advice = IsRisky ? ['Try it first: add --trial to the command that makes the change, and it undoes itself unless you keep it.'] : []
  return [head, ...Losses.map(lossLine), ...internet, ...routes, ...advice].join('\n')
}

const INTERNET: Readonly<Record<PreviewPage['Internet']['Before'], string>> = { direct: 'as without Bowline', exit: 'through the exit node', blocked: 'kept in' }

function lossLine({ What, Why, IsWayIn }: Loss): string {
  return `  ${printable(What)}${IsWayIn ? styled('warning', ' (somebody may be working here by it)') : ''}: ${printable(Why.Text)}`
}

function few(all: readonly string[]): string {
  return all.length <= 6 ? all.join(', ') : `${all.slice(0, 5).join(', ')} and ${all.length - 5} more`
}

/**
 * Makes a change as the flags say: at once, where this very SSH session would survive it or the risk is accepted, else on trial. `make`
 * makes it and says so; `change` undefined: it is none that a trial could make.
 */
export async function makeChange(context: Context, change: WantedChange | undefined, make: () => Promise<ExitCode>): Promise<ExitCode> {
  const { args, api } = context
  if (args.has('trial')) {
    if (!change) throw usageError('--trial is for exit nodes, networks behind devices, names, the local network, what is offered, and the mode; give the other flags without it.')
    return tryChange(context, change)
  }
  const from = sshClient(context)
  if (change && from !== undefined && !args.has('accept-risk')) {
    const { Losses } = await api.call('preview', { body: change })
    const session = Losses.find(({ Kind, Address }) => Kind === 'remote-session' && (Address === from || (Address === '' && isLoopback(from))))
    if (session) throw new CliError(EXIT.failed, 'lose-ssh', `You work here by an ${printable(session.What)}, which this would end. Try it first with --trial (it undoes itself unless you keep it), or add --accept-risk=lose-ssh.`)
  }
  return make()
}

/** Where the person at this terminal comes from by SSH. */
function sshClient({ terminal }: Context): string | undefined {
  const { env } = terminal.system
  const [ip] = (env['SSH_CONNECTION'] ?? env['SSH_CLIENT'] ?? '').split(' ')
  return ip === undefined || ip === '' ? undefined : ip.replace(/^::ffff:/, '').replace(/%.*$/, '')
}

const isLoopback = (ip: string): boolean => ip === '::1' || ip.startsWith('127.')

async function tryChange(context: Context, change: WantedChange): Promise<ExitCode> {
  const { api, args, terminal } = context
  const { Trial: trial } = await api.call('answerTrial', { body: { Change: change, Seconds: args.number('trial') } })
  if (!trial) throw new CliError(EXIT.failed, 'no-trial', 'The trial ended as soon as it began.')
  for (const loss of trial.Losses) terminal.err(`${lossLine(loss).trimStart()}\n`)
  if (args.bool('yes')) return say(context, await api.call('answerTrial', { body: { ID: trial.ID, Answer: 'keep' } }), trial.ID)
  if (terminal.ask) void askPerson(context, trial)
  else terminal.err(`On trial for ${Math.ceil(trial.LeftMs / 1000)} s. It undoes itself unless it is kept: bowline trial keep\n`)
  return say(context, await waitForEnd(context, trial), trial.ID)
}

/** The question stands until it is answered, or the trial is over. */
async function askPerson({ api, terminal }: Context, trial: Trial): Promise<void> {
  const typed = await terminal.ask!(`Keep it? It is undone in ${Math.ceil(trial.LeftMs / 1000)} s otherwise. [y/N] `).catch(() => '')
  const Answer = /^y(es)?$/i.test(typed.trim()) ? 'keep' : 'undo'
  await api.call('answerTrial', { body: { ID: trial.ID, Answer } }).catch(() => {})
}

/** Looks until the trial is over. Ctrl-C undoes it. */
async function waitForEnd({ api, terminal }: Context, trial: Trial): Promise<TrialPage> {
  const endMs = Date.now() + trial.LeftMs + LATE_MS
  for (;;) {
    const page = await api.call('trial').catch((error: unknown) => {
      // The way to the engine may be what was lost.
      if (Date.now() > endMs) throw error
      return undefined
    })
    if (page && page.Trial?.ID !== trial.ID) return page
    if (terminal.interrupted.aborted) return api.call('answerTrial', { body: { ID: trial.ID, Answer: 'undo' } })
    if (Date.now() > endMs) throw new CliError(EXIT.timeout, 'timeout', 'The engine does not say how the trial ended. See: bowline trial')
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

const ENDS: Readonly<Record<NonNullable<TrialPage['Last']>['End'], string>> = {
  kept: 'Kept.', undone: 'Undone.', 'ran-out': 'Undone: nobody kept it in time.', restarted: 'Undone: the engine ended before anybody kept it.',
  left: 'Undone: another profile was chosen.', replaced: 'Over: it was changed to something else meanwhile.',
}

function say({ json, terminal }: Context, page: TrialPage, id: string): ExitCode {
  const end = page.Last?.ID === id ? page.Last.End : undefined
  if (json) printJson(terminal, page)
  else terminal.out(`\n${end === undefined ? 'It is not known how the trial ended.' : ENDS[end]}\n`)
  return end === 'kept' ? EXIT.ok : EXIT.failed
}

/** How a trial stands or ended, as a sentence. */
export function trialText({ Trial: trial, Last }: TrialPage): string {
  if (trial) return [`A change is on trial for ${Math.ceil(trial.LeftMs / 1000)} s more: ${changeText(trial.Change)}`, ...trial.Losses.map(lossLine), 'Keep it with: bowline trial keep     Undo it with: bowline trial undo'].join('\n')
  return Last ? `Nothing is on trial. The last one: ${ENDS[Last.End]}` : 'Nothing is on trial.'
}

function changeText({ Prefs: prefs = {}, Mode, SkippedRoutes }: WantedChange): string {
  const fields = Object.entries(prefs).filter(([name]) => !name.endsWith('Set')).map(([name, value]) => `${name} = ${printable(JSON.stringify(value))}`)
  return [...fields, ...(Mode === undefined ? [] : [`mode = ${Mode}`]), ...(SkippedRoutes === undefined ? [] : ['networks that are left out'])].join(', ')
}
