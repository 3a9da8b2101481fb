/**
 * Gets a UDP port of a router by UPnP: search, description, the best service, the port, the outer address.
 *
 * Every step is bounded: 1.2 s of search, 2 s and 64 KiB an answer, 8 descriptions, 5 s in all. What a router refuses in a way that
 * another question gets round (a taken port, no leases) is asked again so, three times at most.
 * Source: order and times of tailscale net/portmapper/upnp.go @ de9ec7e, read 2026-08.
 */
import type { Env } from '../base/env.ts'
import { errorText } from '../base/errors.ts'
import { isPrivateIp, parseIp } from '../base/ip.ts'
import { readDescription, readSoapReply, soapRequest, WAN_IP_2, type SoapArgs, type SoapReply } from '../core/portmap/igd.ts'
import { upnpRefusal } from '../core/portmap/results.ts'
import { readSsdpAnswer, SSDP_PORT, SSDP_SPREAD_SEC, ssdpQuestions } from '../core/portmap/ssdp.ts'
import type { RouterLink, UpnpAnswer, UpnpControl, UpnpPlace } from '../core/portmap/types.ts'
import { MAX_XML_CHARS } from '../core/portmap/xml.ts'
import type { RouterAccess } from './ports.ts'

const SEARCH_MS = SSDP_SPREAD_SEC * 1000 + 200
/** After the first router answered: for others that answer too. */
const GATHER_MS = 50
const MAX_PLACES = 8
const MAX_CONTROLS = 8
/** Small routers take their time. */
const EXCHANGE_MS = 2000
const ASK_MS = 5000
const MAX_TRIES = 4
/** What people see in their router's list. */
const DESCRIPTION = 'bowline'
const PORT_TAKEN = 718
const ONLY_SAME_PORTS = 724
const ONLY_WITHOUT_END: readonly number[] = [402, 725]
const NO_SUCH_ACTION: readonly number[] = [401, 602]

export interface UpnpAsk {
  readonly link: RouterLink
  readonly places: readonly UpnpPlace[]
  readonly known: UpnpControl | undefined
  readonly port: number
  readonly externalPort: number
  readonly lifetimeSec: number
}

/**
 * Looks for routers on the link: tells where they say that their descriptions lie, at most 8, soon after the first one answered,
 * and once more, perhaps with none, when the search is over. What is returned ends it without another word.
 */
export function searchRouters(env: Env, access: RouterAccess, link: RouterLink, onPlaces: (places: readonly UpnpPlace[], isOver: boolean) => void): () => void {
  const places = new Map<string, UpnpPlace>()
  let cancelGather: (() => void) | undefined
  let isOver = false
  const socket = access.openSearch(link, (bytes) => {
    const place = readSsdpAnswer(bytes)
    if (!place || places.size >= MAX_PLACES) return
    places.set(`${place.port} ${place.path}`, place)
    cancelGather ??= env.clock.after(GATHER_MS, () => onPlaces([...places.values()], false))
  })
  const cancelEnd = env.clock.after(SEARCH_MS, () => {
    end()
    onPlaces([...places.values()], true)
  })
  function end(): void {
    if (isOver) return
    isOver = true
    cancelEnd()
    cancelGather?.()
    socket.close()
  }
  for (const { to, bytes } of ssdpQuestions(link.gateway)) socket.send({ ip: to, port: SSDP_PORT }, bytes)
  return end
}

/** Asks for a port; never rejects. */
export async function askUpnp(env: Env, access: RouterAccess, ask: UpnpAsk): Promise<UpnpAnswer> {
  const talk = new Talk(env, access, ask.link)
  try {
    // A router that started anew may speak at another port.
    const again = ask.known && (await mapAt(env, talk, ask.known, ask).catch(() => undefined))
    if (again?.kind === 'mapped') return again
    const control = await bestControl(talk, await talk.describeAll(ask.places))
    return control ? await mapAt(env, talk, control, ask) : { kind: 'refused', why: 'its description names no service that maps ports' }
  } catch (error) {
    return { kind: 'refused', why: errorText(error) }
  }
}

/** Gives a port back; never rejects. */
export async function unmapUpnp(env: Env, access: RouterAccess, link: RouterLink, control: UpnpControl, externalPort: number): Promise<void> {
  await new Talk(env, access, link).soap(control, 'DeletePortMapping', [['NewRemoteHost', ''], ['NewExternalPort', externalPort], ['NewProtocol', 'UDP']]).catch(() => {})
}

/** Exchanges with one router under one deadline. */
class Talk {
  readonly #env: Env
  readonly #access: RouterAccess
  readonly #link: RouterLink
  readonly #endsAtMs: number

  constructor(env: Env, access: RouterAccess, link: RouterLink) {
    this.#env = env
    this.#access = access
    this.#link = link
    this.#endsAtMs = env.clock.nowMs() + ASK_MS
  }

  /** The services of all descriptions; throws when none could be read. */
  async describeAll(places: readonly UpnpPlace[]): Promise<readonly UpnpControl[]> {
    const all: UpnpControl[] = []
    let fault: unknown
    for (const place of places) {
      try {
        const { status, body } = await this.#access.http(this.#link, { method: 'GET', place, ...this.#bounds() })
        if (status === 200) all.push(...readDescription(body, place))
      } catch (error) {
        fault = error
      }
    }
    if (all.length === 0 && fault !== undefined) throw new Error(`its description could not be read: ${errorText(fault)}`)
    return all.slice(0, MAX_CONTROLS)
  }

  async soap(control: UpnpControl, action: string, args: SoapArgs): Promise<SoapReply> {
    const { status, body } = await this.#access.http(this.#link, { method: 'POST', place: control, ...soapRequest(control.type, action, args), ...this.#bounds() })
    return readSoapReply(status, body)
  }

  #bounds(): { timeoutMs: number; maxBytes: number } {
    const leftMs = this.#endsAtMs - this.#env.clock.nowMs()
    if (leftMs <= 0) throw new Error('it took too long')
    return { timeoutMs: Math.min(EXCHANGE_MS, leftMs), maxBytes: MAX_XML_CHARS }
  }
}

/** Among several services one that is connected and has a public address, else one that is connected, else the first. */
async function bestControl(talk: Talk, controls: readonly UpnpControl[]): Promise<UpnpControl | undefined> {
  if (controls.length < 2) return controls[0]
  const ranked: { control: UpnpControl; rank: number }[] = []
  for (const control of controls) {
    const rank = await rankOf(talk, control).catch(() => 0)
    if (rank === 3) return control
    ranked.push({ control, rank })
  }
  return ranked.reduce((a, b) => (b.rank > a.rank ? b : a)).control
}

async function rankOf(talk: Talk, control: UpnpControl): Promise<number> {
  const status = (await talk.soap(control, 'GetStatusInfo', [])).values.get('NewConnectionStatus')
  if (status !== 'Connected' && status !== 'Up') return 0
  const ip = await outerIp(talk, control)
  return ip === undefined ? 1 : isPrivateIp(ip) ? 2 : 3
}

async function outerIp(talk: Talk, control: UpnpControl): Promise<string | undefined> {
  const ip = (await talk.soap(control, 'GetExternalIPAddress', [])).values.get('NewExternalIPAddress')
  return ip !== undefined && parseIp(ip)?.length === 4 ? ip : undefined
}

async function mapAt(env: Env, talk: Talk, control: UpnpControl, ask: UpnpAsk): Promise<UpnpAnswer> {
  let action = control.type === WAN_IP_2 ? 'AddAnyPortMapping' : 'AddPortMapping'
  let { lifetimeSec } = ask
  // 0 would give us every port that nobody else has.
  let externalPort = ask.externalPort >= 1024 ? ask.externalPort : randomPort(env)
  let errorCode: number | undefined
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const reply = await talk.soap(control, action, mapArgs(ask, externalPort, lifetimeSec))
    errorCode = reply.errorCode
    if (errorCode === undefined) return given(talk, control, action === 'AddPortMapping' ? externalPort : Number(reply.values.get('NewReservedPort')), lifetimeSec)
    if (NO_SUCH_ACTION.includes(errorCode) && action !== 'AddPortMapping') action = 'AddPortMapping'
    else if (ONLY_WITHOUT_END.includes(errorCode) && lifetimeSec !== 0) lifetimeSec = 0
    else if (errorCode === ONLY_SAME_PORTS && externalPort !== ask.port) externalPort = ask.port
    else if (errorCode === PORT_TAKEN) externalPort = randomPort(env)
    else break
  }
  return { kind: 'refused', why: upnpRefusal(errorCode!) }
}

async function given(talk: Talk, control: UpnpControl, port: number, lifetimeSec: number): Promise<UpnpAnswer> {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return { kind: 'refused', why: 'it does not say which port it gave' }
  const ip = await outerIp(talk, control).catch(() => undefined)
  if (ip !== undefined) return { kind: 'mapped', control, external: { ip, port }, lifetimeSec }
  await talk.soap(control, 'DeletePortMapping', [['NewRemoteHost', ''], ['NewExternalPort', port], ['NewProtocol', 'UDP']]).catch(() => {})
  return { kind: 'refused', why: 'it does not say what its outer address is' }
}

function mapArgs(ask: UpnpAsk, externalPort: number, lifetimeSec: number): SoapArgs {
  return [
    ['NewRemoteHost', ''], ['NewExternalPort', externalPort], ['NewProtocol', 'UDP'], ['NewInternalPort', ask.port], ['NewInternalClient', ask.link.selfIp],
    ['NewEnabled', 1], ['NewPortMappingDescription', DESCRIPTION], ['NewLeaseDuration', lifetimeSec],
  ]
}

function randomPort(env: Env): number {
  return 1024 + Math.floor(env.random.unit() * (65_536 - 1024))
}
