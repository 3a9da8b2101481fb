/**
 * The window's requests about the service of the computer: whether it is there, and having it installed or removed, which only the app can ask for.
 */
import type { RequestName } from '../../preload/contract.ts'
import { answersAt, isInstalled, type ServicePlace } from '../client/service-place.ts'
import type { MachineWhy } from '../localapi/machine.ts'
import type { ServiceChange, ServicePage } from '../localapi/service.ts'
import type { Handler, HostActions } from './requests.ts'

export interface ServiceActions {
  page(): Promise<ServicePage>
  /** Each asks the person for admin rights, and resolves when it is settled. */
  install(): Promise<ServiceChange>
  remove(): Promise<ServiceChange>
}

export interface ServiceFacts {
  readonly place: ServicePlace
  /** The socket that this window speaks with. */
  readonly socket: string
  /** What a person types before "install" and "uninstall". */
  readonly command: string
  readonly cannotAsk: MachineWhy | undefined
}

/** What is so now. */
export async function servicePage({ place, socket, command, cannotAsk }: ServiceFacts): Promise<ServicePage> {
  const Running = await answersAt(place.socket)
  return {
    System: place.system, Installed: Running || isInstalled(place), Running, InUse: socket === place.socket,
    ...(cannotAsk ? { CannotAsk: cannotAsk } : {}), InstallCommand: `${command} install`, RemoveCommand: `${command} uninstall`,
  }
}

const serviceOf = ({ service }: HostActions): ServiceActions => {
  if (!service) throw Object.assign(new Error('This window cannot tell anything of a service.'), { code: 'not-supported' })
  return service
}

export const SERVICE_HANDLERS: Readonly<Record<Extract<RequestName, 'service' | 'installService' | 'removeService'>, Handler>> = {
  service: async (_client, host) => serviceOf(host).page(),
  installService: async (_client, host) => serviceOf(host).install(),
  removeService: async (_client, host) => serviceOf(host).remove(),
}
