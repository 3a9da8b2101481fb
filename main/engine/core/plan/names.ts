/**
 * Names of nodes: the suffix of a network, the short name that people see, the full name that DNS answers.
 */
import type { Node } from '../tailcfg/types.ts'

/** Everything after the first label of our own name, without the trailing dot; "" when the server gives plain names. */
export function magicDnsSuffix(self: Node): string {
  const name = trimDot(self.Name)
  const dot = name.indexOf('.')
  return dot < 0 ? '' : name.slice(dot + 1)
}

/** The name for people: the full name without the network's suffix, or the host name when there is none. */
export function shortName(node: Node, suffix: string): string {
  const name = trimDot(node.Name)
  if (name === '') return node.Hostinfo?.Hostname ?? ''
  return suffix !== '' && name.endsWith(`.${suffix}`) ? name.slice(0, -suffix.length - 1) : name
}

export function trimDot(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name
}

/** Addresses of a node's host prefixes, without bits. */
export function addressesOf(node: Node): string[] {
  return (node.Addresses ?? []).map((prefix) => prefix.slice(0, prefix.indexOf('/') < 0 ? undefined : prefix.indexOf('/')))
}
