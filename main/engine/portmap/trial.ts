/**
 * A port asked for on trial, for a person who wants to know why there is a mapping or none: every step as a line of text, the port
 * given back at the end. What the engine itself has mapped is not touched: the trial is for another port.
 */
import type { Env } from '../base/env.ts'
import { formatAddrPort, type AddrPort } from '../base/ip.ts'
import { PORT_MAP_SERVICES, SERVICE_NAMES, type FoundServices, type PortMapService, type RouterLink } from '../core/portmap/types.ts'
import { PortMap } from './portmap.ts'
import type { RouterAccess } from './ports.ts'

export interface TrialOptions {
  readonly link: RouterLink | undefined
  /** undefined = all, in their order. */
  readonly only: PortMapService | undefined
  /** Of a socket that is open for the trial. */
  readonly port: number
  readonly timeoutMs: number
}

/** Tells each step; resolves when the port was given and given back, refused, or the time is over. */
export async function tryPortMap(deps: { readonly env: Env; readonly access: RouterAccess }, options: TrialOptions, say: (line: string) => void): Promise<void> {
  const { link, only, port, timeoutMs } = options
  if (!link) return say('no gateway that could map ports: the default route leads to none with a private address')
  say(`gw=${link.gateway}; self=${link.selfIp}; port=${port}`)
  const events: Env['journal'] = {
    add: ({ kind, why, external }) => {
      if (kind === 'refused' || (kind === 'mapping' && external !== undefined)) say(String(why))
    },
  }
  const portmap = new PortMap({ access: deps.access, env: { ...deps.env, journal: events } })
  let cancelEnd = (): void => {}
  const given = new Promise<AddrPort | undefined>((resolve) => {
    portmap.start({ onMapping: resolve, onServices: () => {} })
    cancelEnd = deps.env.clock.after(timeoutMs, () => resolve(undefined))
  })
  portmap.setModes({ off: undefined, services: only === undefined ? PORT_MAP_SERVICES : [only] })
  portmap.setLink(link)
  portmap.setPort(port)
  const found = await portmap.probe('a trial')
  say(`Probe: ${words(found)}`)
  if (found && !Object.values(found).includes(true)) say('no portmapping services available')
  else {
    const external = await given
    say(external ? `mapping: ${formatAddrPort(external)}` : `no mapping: ${portmap.why}`)
  }
  cancelEnd()
  await portmap.stop()
}

function words(found: FoundServices | undefined): string {
  return PORT_MAP_SERVICES.map((service) => `${SERVICE_NAMES[service]} ${found?.[service] === true ? 'yes' : 'no'}`).join(', ')
}
