/**
 * Where the engine's socket and state are when nobody says otherwise.
 *
 *   Linux  root  /var/run/bowline/bowlined.sock, /var/lib/bowline
 *          user  $XDG_RUNTIME_DIR/bowline/bowlined.sock (else in the state directory), $XDG_STATE_HOME/bowline
 *   macOS  root  /var/run/bowlined.sock, /Library/Bowline    user  ~/Library/Application Support/Bowline
 *   Windows      \\.\pipe\bowline-USER, %LOCALAPPDATA%\Bowline
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

export interface System {
  readonly platform: string
  /** 0 = root; undefined on Windows. */
  readonly uid: number | undefined
  readonly home: string
  readonly user: string
  readonly env: Readonly<Record<string, string | undefined>>
}

const ROOT_SOCKET = { linux: '/var/run/bowline/bowlined.sock', darwin: '/var/run/bowlined.sock' }

export function defaultStateDir(system: System): string {
  const { env, home } = system
  switch (system.platform) {
    case 'win32':
      return join(env['LOCALAPPDATA'] ?? join(home, 'AppData', 'Local'), 'Bowline')
    case 'darwin':
      return system.uid === 0 ? '/Library/Bowline' : join(home, 'Library', 'Application Support', 'Bowline')
    default:
      return system.uid === 0 ? '/var/lib/bowline' : join(env['XDG_STATE_HOME'] || join(home, '.local', 'state'), 'bowline')
  }
}

/** The socket that an engine of this user serves. */
export function defaultSocket(system: System): string {
  const { env } = system
  if (system.platform === 'win32') return `\\\\.\\pipe\\bowline-${system.user.replace(/[^A-Za-z0-9_.-]/g, '_')}`
  if (system.platform === 'darwin') return system.uid === 0 ? ROOT_SOCKET.darwin : join(defaultStateDir(system), 'bowlined.sock')
  if (system.uid === 0) return ROOT_SOCKET.linux
  const runtime = env['XDG_RUNTIME_DIR'] ?? ''
  return runtime === '' ? join(defaultStateDir(system), 'bowlined.sock') : join(runtime, 'bowline', 'bowlined.sock')
}

/** The socket to speak to: $BOWLINE_SOCKET, else this user's, else the computer's own engine when only that one is there. */
export function socketToUse(system: System, exists: (path: string) => boolean = existsSync): string {
  const named = system.env['BOWLINE_SOCKET'] ?? ''
  if (named !== '') return named
  const own = defaultSocket(system)
  const shared = system.platform === 'darwin' ? ROOT_SOCKET.darwin : ROOT_SOCKET.linux
  return system.platform !== 'win32' && own !== shared && !exists(own) && exists(shared) ? shared : own
}
