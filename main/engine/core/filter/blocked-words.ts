/**
 * What became of a flow that did not get through, as one sentence for people, and the names of IP protocols. Pure.
 */

export type BlockedReason =
  /** The rules of the network do not allow it. */
  | 'acl'
  /** Whoever was asked takes no connections at all for now. */
  | 'shields-up'
  /** The server lets that device answer only. */
  | 'jailed'
  | 'forwarding-off'
  | 'host-firewall'
  /** For an address that this device takes nothing for. */
  | 'not-ours'
  /** From an address that its sender does not own. */
  | 'foreign-source'
  /** Refused without a reason that is known here. */
  | 'other'
  /** Nothing refused it, and no answer came. */
  | 'offline'
  | 'no-path'
  | 'no-answer'

export interface BlockedFlow {
  readonly direction: 'in' | 'out'
  /** IP protocol number. */
  readonly proto: number
  /** Short name of the other device; "" when nobody knows it. */
  readonly peer: string
  /** Where it was to go. */
  readonly to: { readonly ip: string; readonly port: number }
  readonly from: { readonly ip: string; readonly port: number }
  /** Outbound: the destination is the device itself, not something behind it. */
  readonly isPeerItself: boolean
  readonly reason: BlockedReason
}

const PROTOS: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmp', 132: 'sctp' }

export function protoName(proto: number): string {
  return PROTOS[proto] ?? String(proto)
}

/** Address with the port, if the protocol has any. */
export function placeText({ ip, port }: { readonly ip: string; readonly port: number }): string {
  if (port === 0) return ip
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}

/** One sentence that ends with the reason's word in brackets. */
export function blockedText(flow: BlockedFlow): string {
  const said = flow.direction === 'out' ? outboundText(flow) : inboundText(flow)
  return `${said} (${flow.reason})`
}

function outboundText({ peer, to, isPeerItself, reason }: BlockedFlow): string {
  const known = peer === '' ? 'a device that is gone' : peer
  const place = !isPeerItself ? `${placeText(to)} behind ${known}` : to.port === 0 ? known : `${known}:${to.port}`
  switch (reason) {
    case 'acl':
      return `${place} refused this: its rules do not let you in`
    case 'shields-up':
    case 'jailed':
      return `${place} refused this: it takes no connections for now`
    case 'forwarding-off':
      return `${place} could not be reached: ${known} does not pass traffic on`
    case 'host-firewall':
      return `${place} refused this: a firewall on that machine is in the way`
    case 'offline':
      return `${place} did not answer: ${known} is offline`
    case 'no-path':
      return `${place} did not answer: there is no path to ${known} yet`
    case 'no-answer':
      return `${place} did not answer within 5 seconds: the rules there may drop this without a word, or nothing runs there`
    case 'not-ours':
    case 'foreign-source':
    case 'other':
      return `${place} refused this and did not say why`
  }
}

function inboundText({ peer, proto, to, from, reason }: BlockedFlow): string {
  const who = peer === '' ? from.ip : peer
  const what = to.port === 0 ? protoName(proto) : `${protoName(proto)} port ${to.port}`
  switch (reason) {
    case 'shields-up':
      return `${who} was not let in to ${what} here: incoming connections are blocked on this device`
    case 'jailed':
      return `${who} was not let in to ${what} here: the server lets it answer and nothing else`
    case 'not-ours':
      return `${who} sent ${protoName(proto)} packets for ${to.ip}, which this device takes nothing for`
    case 'foreign-source':
      return `${who} sent packets in the name of ${from.ip}, which is not its own; they are dropped`
    case 'acl':
    case 'forwarding-off':
    case 'host-firewall':
    case 'other':
    case 'offline':
    case 'no-path':
    case 'no-answer':
      return `${who} was not let in to ${what} here: the network's rules do not allow it`
  }
}
