/**
 * What a look at a server before joining can find: each finding with its state, its English sentence and its one fix. Pure.
 */
import type { ErrorCode } from '../../base/errors.ts'

export type FindingState = 'good' | 'bad' | 'unknown' | 'skipped'
export type FixKind = 'check-address' | 'check-network' | 'use-https' | 'use-http' | 'trust-certificate' | 'fix-clock' | 'fix-proxy' | 'open-page' | 'ask-admin' | 'update' | 'wait' | 'none'
export type Args = Readonly<Record<string, string | number>>

export interface Finding {
  readonly state: FindingState
  readonly code: string
  readonly args: Args
  readonly text: string
  readonly fix?: { readonly kind: FixKind; readonly text: string }
  readonly needed: boolean
}

interface Entry {
  readonly state: FindingState
  readonly text: string
  readonly fix?: readonly [kind: FixKind, text: string]
  /** Nobody gets in while it is so. */
  readonly needed?: true
}

const ENTRIES = {
  'name-found': { state: 'good', text: '{host} found in {ms} ms' },
  'name-address': { state: 'good', text: 'It is given as an address' },
  'name-by-proxy': { state: 'skipped', text: 'The proxy looks it up' },
  'connection-open': { state: 'good', text: 'Port {port} answers in {ms} ms' },
  'connection-by-proxy': { state: 'good', text: 'Port {port} answers in {ms} ms, by the proxy' },
  'certificate-good': { state: 'good', text: 'Trusted by this computer, issued by {issuer}' },
  'certificate-added': { state: 'good', text: 'Trusted because it was added for this server' },
  'certificate-pinned': { state: 'good', text: 'The one named in the link' },
  'certificate-none': { state: 'skipped', text: 'None: the address begins with http://' },
  'certificate-plain': { state: 'bad', text: 'None: nothing proves that the server is the right one', fix: ['use-https', 'If the server has a certificate, begin its address with https://'] },
  'certificate-not-pinned': {
    state: 'bad', needed: true, text: 'Not the one named in the link: somebody stands in between, or the link is old',
    fix: ['ask-admin', 'Ask whoever sent the link for a new one, or try another network'],
  },
  'server-headscale': { state: 'good', text: 'Headscale {version}, speaks our version' },
  'server-answers': { state: 'good', text: 'Speaks our version' },
  'server-unwell': { state: 'bad', text: 'Answers, but says itself that it is not well', fix: ['ask-admin', 'Tell whoever runs it, if signing in does not work'] },
  'clock-agrees': { state: 'good', text: 'Agrees with the server to {sec} s' },
  'clock-differs': { state: 'bad', text: 'This computer is {skew}', fix: ['fix-clock', 'Set the clock of this computer'] },
  'clock-unknown': { state: 'unknown', text: 'The server told no time' },
  'proxy-none': { state: 'good', text: 'None is set' },
  'proxy-excepted': { state: 'good', text: 'Not used for this server' },
  'proxy-through': { state: 'good', text: '{proxy} in use, lets us through' },
  'proxy-around': { state: 'bad', text: '{proxy} is set but does not answer; the server is reached without it', fix: ['fix-proxy', 'Take it out of the proxy setting, if you have left its network'] },
  'page-none': { state: 'good', text: 'None: this network lets us through' },
  'page-found': { state: 'bad', needed: true, text: 'This network wants you to sign in first', fix: ['open-page', 'Open any web page in a browser and sign in there'] },
  'page-unknown': { state: 'unknown', text: 'Nobody answers, so there may be one' },
  'udp-open': { state: 'good', text: 'Comes through, seen outside as {address}' },
  'udp-silent': {
    state: 'bad', text: 'Nothing comes back on this network',
    fix: ['none', 'It will work, only slower here: without UDP all traffic goes through a relay'],
  },
  'udp-unknown': { state: 'unknown', text: 'Not known: the relays are told only after signing in' },
  'vpn-none': { state: 'good', text: 'None is up' },
  'vpn-beside': { state: 'good', text: '{vpns} is up; both can run' },
  'vpn-carries': {
    state: 'bad', text: '{vpns} carries all traffic of this computer',
    fix: ['none', 'Both can run. Direct paths may be slower or not possible while it is on'],
  },
  'vpn-range': {
    state: 'bad', text: '{interface} gives out addresses that devices of the network have ({network})',
    fix: ['ask-admin', 'Programs reach the devices by the proxy all the same. Ask whoever runs the server if something cannot be reached'],
  },
  'keys-sealed': { state: 'good', text: "This computer's secret store" },
  'keys-file': { state: 'bad', text: 'A file that only you may read: {why}', fix: ['none', 'It works. With a secret store in this session the file is sealed'] },
  'keys-memory': { state: 'good', text: 'Memory only: nothing is kept' },
  'keys-closed': { state: 'bad', needed: true, text: 'The saved state is closed: {why}', fix: ['wait', 'It is opened as soon as the secret store can be reached'] },
  'rights-none': { state: 'good', text: 'No admin rights needed: programs come in by a proxy' },
  'not-asked': { state: 'skipped', text: 'Not looked at' },
} as const satisfies Readonly<Record<string, Entry>>

export type FindingCode = keyof typeof ENTRIES

/** A finding of the table. */
export function finding(code: FindingCode, args: Args = {}): Finding {
  const entry: Entry = ENTRIES[code]
  const text = entry.text.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => String(args[name] ?? ''))
  return {
    state: entry.state, code, args, text, needed: entry.needed === true,
    ...(entry.fix ? { fix: { kind: entry.fix[0], text: entry.fix[1] } } : {}),
  }
}

const FIXES: Partial<Readonly<Record<ErrorCode, FixKind>>> = {
  'captive-portal': 'open-page',
  'cert-expired': 'ask-admin',
  'cert-incomplete': 'ask-admin',
  'cert-intercepted': 'ask-admin',
  'cert-not-yet-valid': 'fix-clock',
  'cert-self-signed': 'trust-certificate',
  'cert-unknown-issuer': 'trust-certificate',
  'cert-untrusted': 'ask-admin',
  'cert-wrong-name': 'check-address',
  'clock-wrong': 'fix-clock',
  'connection-refused': 'check-address',
  'control-bad-response': 'check-address',
  'control-needs-tls': 'use-https',
  'control-no-tls': 'use-http',
  'control-rate-limited': 'wait',
  'control-refused': 'ask-admin',
  'control-tls': 'ask-admin',
  'control-unreachable': 'check-network',
  'control-version': 'ask-admin',
  'control-wrong-server': 'check-address',
  'dns-failed': 'check-network',
  'dns-no-such-name': 'check-address',
  'proxy-bad-setting': 'fix-proxy',
  'proxy-refused': 'fix-proxy',
  'proxy-sign-in': 'fix-proxy',
  'proxy-unreachable': 'fix-proxy',
  timeout: 'check-network',
}

/** What went wrong on the way to `host`: the engine's own sentences are "what happened. What to do". */
export function faultFinding(code: ErrorCode, message: string, host: string): Finding {
  const cut = /^(.+?)[.?!] ([A-Z].+)$/s.exec(message)
  const what = cut ? cut[1]! : message.replace(/\.$/, '')
  return {
    state: 'bad', code, args: { host }, text: what.charAt(0).toUpperCase() + what.slice(1), needed: true,
    fix: { kind: FIXES[code] ?? 'check-address', text: cut ? cut[2]! : 'Check the address, or ask whoever runs the server' },
  }
}
