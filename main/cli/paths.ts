/**
 * Where the engine's socket and state are when nobody says otherwise, and which engine a command speaks with.
 *
 *   Linux  root  the service's socket (client/service-place.ts), /var/lib/bowline
 *          user  $XDG_RUNTIME_DIR/bowline/bowlined.sock (else in the state directory), $XDG_STATE_HOME/bowline
 *   macOS  root  the service's socket, /Library/Bowline    user  ~/Library/Application Support/Bowline
 *   Windows      \\.\pipe\bowline-USER, %LOCALAPPDATA%\Bowline
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { answersAt, isInstalled, servicePlace, type ServicePlace } from '../client/service-place.ts'

export interface System {
  readonly platform: string
  /** 0 = root; undefined on Windows. */
  readonly uid: number | undefined
  readonly home: string
  readonly user: string
  readonly env: Readonly<Record<string, string | undefined>>
}

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
  if (system.platform === 'darwin') return system.uid === 0 ? serviceOf(system).socket : join(defaultStateDir(system), 'bowlined.sock')
  if (system.uid === 0) return serviceOf(system).socket
  const runtime = env['XDG_RUNTIME_DIR'] ?? ''
  return runtime === '' ? join(defaultStateDir(system), 'bowlined.sock') : join(runtime, 'bowline', 'bowlined.sock')
}

/** The engine that a command speaks with: the one that was named, the computer's service, or this user's own. */
export interface EngineAt {
  readonly socketPath: string
  readonly kind: 'named' | 'service' | 'own'
}

export interface Looks {
  readonly isInstalled: (place: ServicePlace) => boolean
  readonly answers: (socket: string) => Promise<boolean>
}

const REAL_LOOKS: Looks = { isInstalled, answers: async (socket) => (socket.startsWith('\\\\') || existsSync(socket)) && answersAt(socket) }

/** What is named, else the service where it answers, else this user's own engine; a service that is down is spoken of unless an own engine answers. */
export async function engineToUse(system: System, { socket, own }: { socket: string; own: boolean }, looks = REAL_LOOKS): Promise<EngineAt> {
  const named = socket || (own ? '' : (system.env['BOWLINE_SOCKET'] ?? ''))
  if (named !== '') return { socketPath: named, kind: 'named' }
  const ownEngine: EngineAt = { socketPath: defaultSocket(system), kind: 'own' }
  const place = serviceOf(system)
  if (own || ownEngine.socketPath === place.socket) return ownEngine.socketPath === place.socket ? { ...ownEngine, kind: 'service' } : ownEngine
  const service: EngineAt = { socketPath: place.socket, kind: 'service' }
  if (await looks.answers(place.socket)) return service
  return looks.isInstalled(place) && !(await looks.answers(ownEngine.socketPath)) ? service : ownEngine
}

/** The place of the service on that system. */
export const serviceOf = ({ platform, env }: System): ServicePlace => servicePlace(platform, env['BOWLINE_SERVICE_ROOT'] ?? '')
