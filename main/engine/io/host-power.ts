/**
 * The machine's sleep, as whoever hosts the engine tells it: { kind: 'power', event: 'suspend' | 'resume' }.
 */
import type { HostPort } from './host-keeper.ts'

export function watchPower(port: HostPort, onEvent: (event: 'suspend' | 'resume') => void): void {
  port.on('message', ({ data }) => {
    if (typeof data !== 'object' || data === null) return
    const { kind, event } = data as { kind?: unknown; event?: unknown }
    if (kind === 'power' && (event === 'suspend' || event === 'resume')) onEvent(event)
  })
}
