/**
 * The service as Windows' service manager would have it. Pure; held by golden tests, never run on Windows yet: `bowline service install` shows it
 * with --plan and installs nothing there. Node is no service program by itself: the wrapper that speaks with the manager is what is missing.
 *
 * Source: sc.exe (create, failure, sidtype), service security identifiers. It runs as LocalSystem, started again after 1, 5 and 30 s.
 */
import { daemonWords, type ServicePlan, type ServiceShape } from './plan.ts'

export const SERVICE_NAME = 'Bowline'

export function windowsPlan(shape: ServiceShape): ServicePlan {
  const line = [...shape.command, ...daemonWords(shape)].map(quoted).join(' ')
  return {
    files: [],
    start: [
      ['sc.exe', 'create', SERVICE_NAME, 'type=', 'own', 'start=', 'auto', 'depend=', 'Dnscache/iphlpsvc/netprofm', 'DisplayName=', '"Bowline"', 'binPath=', quoted(line)],
      ['sc.exe', 'description', SERVICE_NAME, '"This computer on its private network"'],
      ['sc.exe', 'sidtype', SERVICE_NAME, 'unrestricted'],
      ['sc.exe', 'failure', SERVICE_NAME, 'reset=', '86400', 'actions=', 'restart/1000/restart/5000/restart/30000'],
      ['sc.exe', 'start', SERVICE_NAME],
    ],
    stop: [['sc.exe', 'stop', SERVICE_NAME]],
    forget: [['sc.exe', 'delete', SERVICE_NAME]],
  }
}

/** One word as programs of Windows read their command line: backslashes count only before a quote. */
function quoted(text: string): string {
  return /^[^\s"]+$/.test(text) ? text : `"${text.replaceAll(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`
}
