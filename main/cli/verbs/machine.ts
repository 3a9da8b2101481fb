/**
 * bowline machine: whether every program of this computer is on the network, or those alone that use its proxies and forwards.
 */
import type { MachineMode, MachinePage, MachineWhy } from '../../localapi/machine.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import { makeChange, RISK_FLAGS } from '../losses.ts'
import { printable, styled, table, wrap } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'

const whole: Verb = {
  name: 'whole',
  summary: 'put the whole computer on the network',
  usage: '[--trial[=SECONDS]]',
  help: 'Every program of this computer reaches the network: a tunnel device, routes, firewall and names are put on the system, and taken away again by "bowline machine apps", by "bowline down", and when the engine ends. The device keeps its name and addresses, and what is open by the proxies goes on.\nThe engine needs admin rights: bowline service install.\nEnds with 1 when it could not be done; then nothing is left changed.',
  json: 'as bowline machine --json',
  flags: RISK_FLAGS,
  run: (context: Context) => makeChange(context, { Mode: 'whole' }, () => choose(context, 'whole')),
}

const apps: Verb = {
  name: 'apps',
  summary: 'take the computer off the network again, and leave the proxies and forwards',
  usage: '[--trial[=SECONDS]]',
  help: 'Takes away the tunnel device, routes, firewall rules and names, so that the system is as it was. Programs that use the proxies and forwards go on.',
  json: 'as bowline machine --json',
  flags: RISK_FLAGS,
  run: (context: Context) => makeChange(context, { Mode: 'apps' }, () => choose(context, 'apps')),
}

export const machine: Verb = {
  name: 'machine',
  group: 'Use the network',
  summary: 'show or choose whether the whole computer is on the network, or single programs',
  usage: '[whole | apps] [--json]',
  help: 'Shows how much of this computer is on the network: its device, who answers names, the firewall, what it passes on for others, and what is not as it should be with the next step.',
  examples: [['bowline machine whole', 'every program reaches the network'], ['bowline machine', 'how it is now']],
  json: '{"Mode": "apps" | "whole", "State", "Why", "Cannot", "Device", "Addresses", "Routes", "Bypass", "Internet", "Firewall", "Names", "Forwarding", "Problems"}',
  subs: [whole, apps],
  flags: {},
  async run({ api, args, json, terminal }: Context) {
    if (args.words.length > 0) throw usageError(`machine takes whole or apps; what is ${JSON.stringify(args.words[0])}?`)
    const page = await api.call('machine')
    if (json) printJson(terminal, page)
    else terminal.out(pageText(page, terminal.columns ?? 90))
    return EXIT.ok
  },
}

async function choose({ api, args, json, terminal }: Context, mode: MachineMode): Promise<ExitCode> {
  noWords(`machine ${mode}`, args)
  const page = await api.call('machineAction', { body: { Mode: mode } })
  if (json) printJson(terminal, page)
  if (mode === 'whole' && (page.State === 'failed' || page.State === 'holding')) throw new CliError(EXIT.failed, page.Why?.Code ?? 'failed', `${page.Why?.Text ?? 'It could not be done.'}${nextStep(page.Why)}`)
  if (!json) terminal.out(`${stateLine(page)}\n`)
  return EXIT.ok
}

const STATES: Readonly<Record<MachinePage['State'], string>> = {
  off: 'off', starting: 'being put on', on: 'on', holding: 'held back', stopping: 'being taken off', failed: 'failed',
}
const INTERNET: Readonly<Record<MachinePage['Internet'], string>> = { direct: 'as without Bowline', exit: 'through the exit node', blocked: 'held back: nothing goes out' }
const THROUGH: Readonly<Record<MachinePage['Names']['Through'], string>> = {
  none: 'untouched', 'systemd-resolved': 'by systemd-resolved', 'network-manager': 'by NetworkManager', resolvconf: 'by resolvconf', openresolv: 'by openresolv', file: 'by /etc/resolv.conf', system: 'by the system',
}
const FIREWALL: Readonly<Record<MachinePage['Firewall'], string>> = { nftables: 'nftables', iptables: 'iptables', pf: 'pf', off: 'switched off', none: 'untouched' }
const FORWARDING: Readonly<Record<MachinePage['Forwarding']['By'], string>> = { none: 'nothing', system: 'by the system', engine: 'by the engine itself' }

/** The state as one sentence, also for status. */
export function stateLine({ Mode, State, Device, Internet }: MachinePage): string {
  if (Mode === 'apps') return State === 'off' ? 'Programs alone are on the network, by proxies and forwards.' : 'The computer is being taken off the network.'
  if (State === 'on') return `The whole computer is on the network (${Device})${Internet === 'blocked' ? '; traffic to the internet is held back' : ''}.`
  if (State === 'off') return 'The whole computer is on the network whenever this device is connected; it is not connected now.'
  if (State === 'failed') return 'The whole computer was to be on the network, and is not.'
  return State === 'holding' ? 'Traffic to the internet is held back until the tunnel is there again.' : `The whole computer is ${STATES[State]}.`
}

/** One line for status; undefined while programs alone are on the network, as ever. */
export function machineHint(page: MachinePage): string | undefined {
  return page.Mode === 'apps' && page.State === 'off' ? undefined : printable(stateLine(page))
}

function pageText(page: MachinePage, columns: number): string {
  const { Mode, State, Device, Mtu, Addresses, Routes, Bypass, Internet, Firewall, Names, Forwarding, Problems, Why, Cannot } = page
  const isOn = State === 'on' || State === 'holding'
  const facts: [string, string][] = [
    ['Mode', Mode === 'apps' ? 'programs alone' : 'whole computer'],
    ['State', STATES[State]],
    ...(Device === '' ? [] : [['Device', `${Device} (MTU ${Mtu})${Addresses.length > 0 ? `, ${Addresses.map((one) => one.replace(/\/\d+$/, '')).join(', ')}` : ''}`]] as [string, string][]),
    ...(isOn ? [
      ['Into the tunnel', few(Routes)],
      ['Past it', Bypass.length === 0 ? 'nothing of these' : few(Bypass)],
      ['Internet', INTERNET[Internet]],
      ['Names', namesText(Names)],
      ['Firewall', FIREWALL[Firewall]],
      ['Passes on', `${FORWARDING[Forwarding.By]}${Forwarding.By !== 'none' ? (Forwarding.SourceNat ? ", with this computer's own address" : ', with the addresses of those who send') : ''}`],
    ] as [string, string][] : []),
  ]
  const said = [...(Why ? [`${Why.Text}${nextStep(Why)}`] : []), ...(Mode === 'apps' && Cannot ? [`The whole computer cannot be taken: ${Cannot.Text}${nextStep(Cannot)}`] : []), ...Problems.map((one) => `${one.Text}${nextStep(one)}`)]
  const width = Math.min(columns, 100)
  const next = Mode === 'apps' && !Cannot ? ['bowline machine whole puts every program on the network.'] : []
  return `${[styled('strong', printable(stateLine(page))), table(facts.map(([name, value]) => [name, printable(value)])), ...[...said, ...next].map((text) => wrap(printable(text), width))].join('\n\n')}\n`
}

function few(all: readonly string[]): string {
  return all.length <= 6 ? all.join(', ') : `${all.slice(0, 5).join(', ')} and ${all.length - 5} more`
}

function namesText({ Through, All, Domains, Own }: MachinePage['Names']): string {
  if (Through === 'none') return THROUGH.none
  const which = All ? 'every name is asked of Bowline' : `names below ${few(Domains.filter((domain) => !domain.endsWith('.arpa')))} are asked of Bowline`
  return `${THROUGH[Through]}: ${which}${Own.length > 0 ? `; the rest goes to ${few(Own)}` : ''}`
}

const STEPS: Readonly<Record<string, string>> = {
  'no-rights': 'Next: sudo bowline service install',
  'no-tun': 'Next: load the tun module (modprobe tun), or give the engine /dev/net/tun',
  'other-engine': 'Next: bowline status shows which engine this command speaks with',
  'tailscaled-runs': 'Next: sudo systemctl disable --now tailscaled',
  'firewall-missing': 'Next: install nftables',
}

function nextStep(why: MachineWhy | undefined): string {
  const step = why && STEPS[why.Code]
  return step === undefined ? '' : `\n${step}`
}
