/**
 * Who is calling on the local socket, and what that one may do.
 *
 *   write   root, the user that runs a non-root engine, and the pref OperatorUser
 *   read    everybody else who can reach the socket
 *
 * Where the system names no caller the socket is 0600 (or the pipe's own rights hold), and whoever reaches it may write.
 */
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { Permission } from '../../localapi/methods.ts'

export interface Credentials {
  readonly pid: number
  readonly uid: number
  readonly gid: number
}

/** Asks the system who is at the other end of a connected local socket. */
export type PeerCredentials = (fd: number) => Credentials | undefined

export interface Caller {
  readonly canWrite: boolean
  /** For the journal. */
  readonly name: string
}

/** The caller behind a connection. `ask` undefined: the system cannot tell. */
export function callerOf(socket: Socket, ask: PeerCredentials | undefined, operatorUser: string): Caller {
  if (!ask) return { canWrite: true, name: 'local' }
  const fd = descriptorOf(socket)
  const credentials = fd === undefined ? undefined : ask(fd)
  if (!credentials) return { canWrite: false, name: 'unknown' }
  const own = process.getuid?.() ?? 0
  const isOperator = operatorUser !== '' && uidOf(operatorUser) === credentials.uid
  return { canWrite: credentials.uid === 0 || (own !== 0 && credentials.uid === own) || isOperator, name: `uid ${credentials.uid}, process ${credentials.pid}` }
}

export function allows(caller: Caller, permission: Permission): boolean {
  return permission !== 'write' || caller.canWrite
}

/** Node shows a socket's descriptor only here; undefined when it has none (a pipe, a closed socket). */
function descriptorOf(socket: Socket): number | undefined {
  const fd = (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd
  return fd !== undefined && fd >= 0 ? fd : undefined
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
