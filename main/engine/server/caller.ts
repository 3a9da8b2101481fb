/**
 * Who is calling on the local socket, and what that one may do.
 *
 *   write   root, the user that runs a non-root engine, the pref OperatorUser, and of a service whom its installation named: users, a group
 *   read    everybody else who can reach the socket
 *
 * Where the system names no caller the socket is 0600 (or the pipe's own rights hold), and whoever reaches it may write.
 */
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'

export interface Credentials {
  readonly pid: number
  readonly uid: number
  readonly gid: number
}

/** Asks the system who is at the other end of a connected local socket. */
export type PeerCredentials = (fd: number) => Credentials | undefined

/** Who is at the other end of a connection; asked once, since it never changes. */
export type Peer = { readonly kind: 'known'; readonly credentials: Credentials } | { readonly kind: 'unknown' } | { readonly kind: 'trusted' }

/** The peer of a connected socket. `ask` undefined: the system cannot tell, and only the owner can reach the socket. */
export function peerOf(socket: Socket, ask: PeerCredentials | undefined): Peer {
  if (!ask) return { kind: 'trusted' }
  const fd = descriptorOf(socket)
  const credentials = fd === undefined ? undefined : ask(fd)
  return credentials ? { kind: 'known', credentials } : { kind: 'unknown' }
}

/** Whom the installation of a service lets write, beside the operator of the profile in use. */
export interface ServiceRights {
  /** Names or numbers of users. */
  readonly operators: readonly string[]
  /** Name of a group; "" = none. */
  readonly group: string
}

const NO_RIGHTS: ServiceRights = { operators: [], group: '' }

/** Whether a peer may write at this moment: operators and groups may have changed since it connected. */
export function mayWrite(peer: Peer, operatorUser: string, { operators, group } = NO_RIGHTS): boolean {
  if (peer.kind !== 'known') return peer.kind === 'trusted'
  const { uid, gid } = peer.credentials
  const own = process.getuid?.() ?? 0
  if (uid === 0 || (own !== 0 && uid === own)) return true
  if ([operatorUser, ...operators].some((user) => user !== '' && uidOf(user) === uid)) return true
  return group !== '' && isInGroup(uid, gid, group)
}

/** Whether what it names on disk may be read and written for it: the engine has its rights and no others. */
export function mayNamePaths(peer: Peer): boolean {
  return peer.kind === 'trusted' || (peer.kind === 'known' && peer.credentials.uid === process.getuid?.())
}

/** For the journal. */
export function peerName(peer: Peer): string {
  return peer.kind === 'known' ? `uid ${peer.credentials.uid}, process ${peer.credentials.pid}` : peer.kind === 'unknown' ? 'an unknown user' : 'local'
}

/** Node shows a socket's descriptor only here; undefined when it has none (a pipe, a closed socket). */
function descriptorOf(socket: Socket): number | undefined {
  const fd = (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd
  return fd !== undefined && fd >= 0 ? fd : undefined
}

/** The system's lists of users and groups, as text; '' when they cannot be read. */
export interface UserLists {
  passwd(): string
  group(): string
}

const SYSTEM_LISTS: UserLists = { passwd: () => textOf('/etc/passwd'), group: () => textOf('/etc/group') }

/** Whether a user is in a group now: by the group that the process has, the user's own, or the group's list of members. */
export function isInGroup(uid: number, gid: number, group: string, lists = SYSTEM_LISTS): boolean {
  const found = rowsOf(lists.group()).find(([name]) => name === group)
  const id = found?.[2]
  // The group of root is no group to give rights by.
  if (!found || id === undefined || !/^[1-9]\d*$/.test(id)) return false
  if (Number(id) === gid) return true
  const members = new Set((found[3] ?? '').split(',').filter((name) => name !== ''))
  return rowsOf(lists.passwd()).some(([name = '', , user, own]) => user === String(uid) && (own === id || members.has(name)))
}

/** A user's name, else the number as text. */
export const userOf = (uid: number, lists = SYSTEM_LISTS): string => rowsOf(lists.passwd()).find(([name, , user]) => name !== '' && user === String(uid))?.[0] ?? String(uid)

const rowsOf = (text: string): readonly (readonly string[])[] => text.split('\n').map((line) => line.split(':'))

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** User ID of a name or number, by the system's user list. */
export function uidOf(user: string, passwd: () => string = () => readFileSync('/etc/passwd', 'utf8')): number | undefined {
  if (/^\d+$/.test(user)) return Number(user)
  try {
    for (const line of passwd().split('\n')) {
      const [name, , uid] = line.split(':')
      if (name === user && uid !== undefined && /^\d+$/.test(uid)) return Number(uid)
    }
  } catch {
    return undefined
  }
  return undefined
}
