/**
 * Where the service of this computer serves, and whether it is installed and answers. For every client on Node.
 *
 *   Linux    /run/bowline/bowline.sock, unit bowline.service      macOS  /var/run/bowline.sock, launchd daemon org.bowline.engine
 *   Windows  \\.\pipe\ProtectedPrefix\Administrators\Bowline\engine: only an administrator's process can make a pipe of that name
 *
 * BOWLINE_SERVICE_ROOT puts a folder before all of these paths (Linux, macOS): for trying things out.
 */
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'

export const UNIT_NAME = 'bowline.service'
export const LAUNCHD_LABEL = 'org.bowline.engine'

export interface ServicePlace {
  readonly system: 'systemd' | 'launchd' | 'windows' | 'none'
  readonly socket: string
  /** Files of which one is there while it is installed; none where files tell nothing. */
  readonly marks: readonly string[]
}

/** The place of the service on a system, below `root` ('' = the computer itself). */
export function servicePlace(platform: string, root = ''): ServicePlace {
  const at = (path: string): string => (root === '' ? path : join(root, path))
  switch (platform) {
    case 'linux':
      return { system: 'systemd', socket: at('/run/bowline/bowline.sock'), marks: ['/etc/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system'].map((dir) => at(`${dir}/${UNIT_NAME}`)) }
    case 'darwin':
      return { system: 'launchd', socket: at('/var/run/bowline.sock'), marks: [at(`/Library/LaunchDaemons/${LAUNCHD_LABEL}.plist`)] }
    case 'win32':
      return { system: 'windows', socket: '\\\\.\\pipe\\ProtectedPrefix\\Administrators\\Bowline\\engine', marks: [] }
    default:
      return { system: 'none', socket: at('/run/bowline/bowline.sock'), marks: [] }
  }
}

/** The place on this computer, as this process's environment has it. */
export const ownServicePlace = (env: Readonly<Record<string, string | undefined>>): ServicePlace => servicePlace(process.platform, env['BOWLINE_SERVICE_ROOT'] ?? '')

export const isInstalled = ({ marks }: ServicePlace, exists: (path: string) => boolean = existsSync): boolean => marks.some((path) => exists(path))

/** Whether somebody serves that socket or pipe now; known within `timeoutMs`. */
export function answersAt(socket: string, timeoutMs = 1_000): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect({ path: socket, timeout: timeoutMs })
    const done = (answers: boolean): void => {
      connection.destroy()
      resolve(answers)
    }
    connection.once('connect', () => done(true))
    connection.once('error', () => done(false))
    connection.once('timeout', () => done(false))
  })
}
