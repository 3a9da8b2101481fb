/**
 * A router in memory for everything that goes over its UDP port, SSDP and HTTP; answers as told, in the time of a hand clock.
 */
import type { RouterAccess, RouterRequest } from '../../../main/engine/portmap/ports.ts'
import { RouterRig } from '../core/portmap/router-rig.ts'
import type { HandClock } from '../../sim/clock.ts'

export type HttpAnswer = { readonly status: number; readonly body: string } | 'never' | Error

export const DESCRIPTION = (...types: string[]): string =>
  `<root>${types.map((type, i) => `<service><serviceType>${type}</serviceType><controlURL>/ctl${i}</controlURL></service>`).join('')}</root>`
export const SSDP_ANSWER = (location = 'http://192.168.1.1:5000/d.xml'): Uint8Array =>
  new TextEncoder().encode(`HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nLOCATION: ${location}\r\n\r\n`)

export class FakeRouter {
  readonly rig = new RouterRig()
  /** "METHOD path action(values)" of every HTTP exchange. */
  readonly asked: string[] = []
  /** Answers to a search, told at once. */
  ssdp: readonly Uint8Array[] = []
  /** By "GET path" or "action". */
  readonly http = new Map<string, HttpAnswer | ((request: RouterRequest) => HttpAnswer)>()
  openSockets = 0
  readonly access: RouterAccess
  readonly #clock: HandClock

  constructor(clock: HandClock) {
    this.#clock = clock
    this.access = { openPort: (_link, _port, onDatagram) => this.#openPort(onDatagram), openSearch: (_link, onDatagram) => this.#openSearch(onDatagram), http: (_link, request) => this.#http(request) }
  }

  #openPort(onDatagram: (bytes: Uint8Array) => void): ReturnType<RouterAccess['openPort']> {
    this.openSockets++
    return {
      send: (bytes) => {
        this.rig.nowMs = this.#clock.nowMs()
        const reply = this.rig.reply(bytes)
        if (reply) this.#clock.after(5, () => onDatagram(reply))
      },
      close: () => void this.openSockets--,
    }
  }

  #openSearch(onDatagram: (bytes: Uint8Array) => void): ReturnType<RouterAccess['openSearch']> {
    this.openSockets++
    for (const answer of this.ssdp) this.#clock.after(5, () => onDatagram(answer))
    return { send: () => {}, close: () => void this.openSockets-- }
  }

  #http(request: RouterRequest): Promise<{ status: number; body: string }> {
    const action = /#(\w+)"/.exec(request.headers?.['soapaction'] ?? '')?.[1]
    const values = [...(request.body ?? '').matchAll(/<New\w+>([^<]*)</g)].map(([, value]) => value)
    this.asked.push(action === undefined ? `GET ${request.place.path}` : `${request.place.path} ${action}(${values.join(' ')})`)
    const found = this.http.get(action ?? `GET ${request.place.path}`) ?? { status: 404, body: '' }
    const answer = typeof found === 'function' ? found(request) : found
    if (answer === 'never') return new Promise((_, reject) => void this.#clock.after(request.timeoutMs, () => reject(new Error('it did not answer in time'))))
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
  }
}

export const soap = (values: Readonly<Record<string, string | number>>): HttpAnswer =>
  ({ status: 200, body: `<Envelope><Body>${Object.entries(values).map(([name, value]) => `<${name}>${value}</${name}>`).join('')}</Body></Envelope>` })
export const refusal = (code: number): HttpAnswer => ({ status: 500, body: `<Envelope><Body><Fault><errorCode>${code}</errorCode></Fault></Body></Envelope>` })
