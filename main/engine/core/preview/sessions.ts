/**
 * Which connections could be the way in which a person works at this computer from elsewhere: by the port that is served here, else by
 * the program that has the connection. Programs that are reached through a service of their maker dial out: they count as well.
 */
import type { OpenConnection } from './facts.ts'

/** ssh | rdp | vnc, or the program's own name. */
export type SessionName = string

const PROGRAMS: readonly (readonly [RegExp, SessionName])[] = [
  [/^(sshd|sshd-session|dropbear)$/, 'ssh'],
  [/^(xrdp|xrdp-sesman|gnome-remote-de|gnome-remote-desktop-daemon|krdpserver|termservice)$/i, 'rdp'],
  [/^(x11vnc|xvnc|xtigervnc|x0vncserver|vino-server|wayvnc|krfb|tvnserver|winvnc|screensharingd)$/i, 'vnc'],
  [/^teamviewerd?$/i, 'TeamViewer'],
  [/^anydesk$/i, 'AnyDesk'],
  [/^rustdesk$/i, 'RustDesk'],
  [/^(nxserver|nxnode)(\.bin)?$/i, 'NoMachine'],
]
/** Dial out to be reached. */
const DIALLING: readonly SessionName[] = ['TeamViewer', 'AnyDesk', 'RustDesk']
const RDP_PORT = 3389
const SSH_PORT = 22
const VNC_PORTS = { first: 5900, last: 5999 }

/** What kind of remote session a connection is; undefined: none. */
export function sessionOf({ local, isInbound, program }: OpenConnection): SessionName | undefined {
  const byProgram = PROGRAMS.find(([pattern]) => pattern.test(program ?? ''))?.[1]
  if (!isInbound) return byProgram !== undefined && DIALLING.includes(byProgram) ? byProgram : undefined
  if (byProgram !== undefined) return byProgram
  if (local.port === SSH_PORT) return 'ssh'
  if (local.port === RDP_PORT) return 'rdp'
  return local.port >= VNC_PORTS.first && local.port <= VNC_PORTS.last ? 'vnc' : undefined
}
