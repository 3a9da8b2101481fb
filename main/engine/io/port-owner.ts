/**
 * Which program of this computer has a port, as Linux tells it: /proc/net for the socket, /proc/PID/fd for its owner.
 *
 * Only programs of this user can be named, and all for root. Bounded: a person waits for the answer.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { parseIp } from '../base/ip.ts'
import type { AddrPort } from '../base/ip.ts'

const MAX_PROCESSES = 5_000
const MAX_TABLE_BYTES = 4 << 20
const LISTEN = '0A'
const UNCONNECTED = '07'

/** A clause like "postgres (process 812)"; undefined when it cannot be told. */
export function portOwner(proto: 'tcp' | 'udp', at: AddrPort): string | undefined {
  const inodes = new Set([...socketsAt(`/proc/net/${proto}`, proto, at), ...socketsAt(`/proc/net/${proto}6`, proto, at)])
  if (inodes.size === 0) return undefined
  for (const pid of list('/proc').filter((name) => /^\d+$/.test(name)).slice(0, MAX_PROCESSES)) {
    for (const fd of list(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(link(`/proc/${pid}/fd/${fd}`))?.[1]
      if (inode !== undefined && inodes.has(inode)) return pid === String(process.pid) ? 'Bowline itself' : `${read(`/proc/${pid}/comm`).trim() || 'a program'} (process ${pid})`
    }
  }
  return undefined
}

/** Inodes of the sockets that have the port on this address or on all. */
function socketsAt(table: string, proto: 'tcp' | 'udp', { ip, port }: AddrPort): string[] {
  const wanted = new Set([procHex(ip), '00000000', '0'.repeat(32)])
  const state = proto === 'tcp' ? LISTEN : UNCONNECTED
  return read(table).split('\n').slice(1).flatMap((line) => {
    const fields = line.trim().split(/\s+/)
    const [address, hexPort] = (fields[1] ?? '').split(':')
    const isIt = fields[3] === state && Number.parseInt(hexPort ?? '', 16) === port && wanted.has(address ?? '')
    return isIt && fields[9] !== undefined ? [fields[9]] : []
  })
}

/** An address as /proc/net writes it: words of four bytes, each turned round. */
function procHex(ip: string): string {
  const bytes = parseIp(ip) ?? new Uint8Array()
  const words: string[] = []
  for (let at = 0; at < bytes.length; at += 4) words.push([...bytes.subarray(at, at + 4)].toReversed().map((byte) => byte.toString(16).padStart(2, '0')).join(''))
  return words.join('').toUpperCase()
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(0, MAX_TABLE_BYTES)
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
