/**
 * What a person has on this computer now, as Linux tells it without anybody being asked: open connections with their programs, machines
 * that answered on the networks here, printers, networks of the main table. What cannot be read is not there; everything is bounded.
 *
 * Programs of other users are named for root alone, and CUPS shows its file to nobody else.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { isLoopbackIp, isUnspecifiedIp } from '../base/ip.ts'
import type { Neighbour, OpenConnection, Printer, SystemNet } from '../core/preview/facts.ts'
import { arpRows, printersOf, route6Rows, routeRows, TCP_ESTABLISHED, TCP_LISTEN, tcpRows } from './proc-net.ts'
import type { TcpRow } from './proc-net.ts'

const MAX_BYTES = 4 << 20
const MAX_CONNECTIONS = 2_000
const MAX_PROCESSES = 5_000
const MAX_LINKS = 40_000
/** Finding out which programs have the connections never takes longer. */
const MAX_SEARCH_MS = 200
const REST = 10

export interface SeenHere {
  readonly connections: readonly OpenConnection[]
  readonly neighbours: readonly Neighbour[]
  readonly printers: readonly Printer[]
  readonly nets: readonly SystemNet[]
}

export const NOTHING_SEEN: SeenHere = { connections: [], neighbours: [], printers: [], nets: [] }

/** `root`: where /proc and /etc are; `nowMs`: any clock. */
export function seenOnLinux(nowMs: () => number, root = ''): SeenHere {
  const net = (name: string): string => read(`${root}/proc/net/${name}`)
  return {
    connections: connections([...tcpRows(net('tcp')), ...tcpRows(net('tcp6'))], root, nowMs),
    neighbours: arpRows(net('arp')),
    printers: printersOf(read(`${root}/etc/cups/printers.conf`)),
    nets: [...routeRows(net('route')), ...route6Rows(net('ipv6_route'))],
  }
}

/** A look costs time that the engine has not for others: whoever asks again within ten times what the last one took is told the same. */
export function seenRarely(look: () => SeenHere, nowMs: () => number): () => SeenHere {
  let last: { readonly seen: SeenHere; readonly untilMs: number } | undefined
  return () => {
    const beganMs = nowMs()
    if (last && beganMs < last.untilMs) return last.seen
    const seen = look()
    const endMs = nowMs()
    last = { seen, untilMs: endMs + (endMs - beganMs) * REST }
    return seen
  }
}

function connections(rows: readonly TcpRow[], root: string, nowMs: () => number): OpenConnection[] {
  const listening = new Set(rows.filter(({ state }) => state === TCP_LISTEN).map(({ local }) => local.port))
  const open = rows.filter(({ state, remote }) => state === TCP_ESTABLISHED && !isUnspecifiedIp(remote.ip)).slice(0, MAX_CONNECTIONS)
  const owners = ownersOf(new Set(open.map(({ inode }) => inode)), root, nowMs)
  const ours = String(process.pid)
  // Of a connection inside this computer the other end is in the list too.
  const otherEnds = new Map(open.filter(({ remote }) => isLoopbackIp(remote.ip)).map((row) => [`${row.local.ip} ${row.local.port}`, row.inode]))
  return open.map(({ local, remote, inode }) => {
    const owner = owners.get(inode)
    const other = isLoopbackIp(remote.ip) ? owners.get(otherEnds.get(`${remote.ip} ${remote.port}`) ?? '') : undefined
    return { local, remote, isInbound: listening.has(local.port), isOurs: owner?.pid === ours || other?.pid === ours, ...(owner === undefined ? {} : { program: owner.program }) }
  })
}

/** Programs by socket. */
function ownersOf(wanted: ReadonlySet<string>, root: string, nowMs: () => number): Map<string, { readonly pid: string; readonly program: string }> {
  const found = new Map<string, { readonly pid: string; readonly program: string }>()
  const endMs = nowMs() + MAX_SEARCH_MS
  let links = 0
  for (const pid of list(`${root}/proc`).filter((name) => /^\d+$/.test(name)).slice(0, MAX_PROCESSES)) {
    if (found.size === wanted.size || links > MAX_LINKS || nowMs() > endMs) break
    let program: string | undefined
    for (const fd of list(`${root}/proc/${pid}/fd`)) {
      links++
      const inode = /^socket:\[(\d+)\]$/.exec(link(`${root}/proc/${pid}/fd/${fd}`))?.[1]
      if (inode === undefined || !wanted.has(inode) || found.has(inode)) continue
      program ??= read(`${root}/proc/${pid}/comm`).trim()
      if (program !== '') found.set(inode, { pid, program })
    }
  }
  return found
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(0, MAX_BYTES)
  } catch {
    return ''
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
