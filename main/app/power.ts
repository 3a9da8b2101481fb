/**
 * Tells the engine when the machine goes to sleep and wakes up, as the system tells the app.
 *
 *   app → engine   { kind: 'power', event: 'suspend' | 'resume' }
 */

/** Of Electron's powerMonitor what is used. */
export interface PowerMonitor {
  on(event: 'suspend' | 'resume', listener: () => void): unknown
}

export function tellPower(monitor: PowerMonitor, tell: (message: unknown) => void): void {
  for (const event of ['suspend', 'resume'] as const) monitor.on(event, () => tell({ kind: 'power', event }))
}
