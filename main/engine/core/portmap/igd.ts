/**
 * UPnP's Internet Gateway Device: its description, and the SOAP questions that get a port of it. Pure.
 *
 * A description names services; those that can map ports are three, in two makers' spellings, the newest first. Control
 * addresses are paths on the gateway itself, whatever host the description names. Nothing that a router says is put into
 * a question but the type of its service, which is one of those known here.
 * Source: UPnP Forum, WANIPConnection:2 §2.5, WANPPPConnection:1, InternetGatewayDevice:2.
 */
import { httpPlace } from './ssdp.ts'
import type { UpnpControl, UpnpPlace } from './types.ts'
import { readXml } from './xml.ts'

export const WAN_IP_2 = 'urn:schemas-upnp-org:service:WANIPConnection:2'
const TYPES: readonly string[] = [
  WAN_IP_2,
  'urn:schemas-upnp-org:service:WANIPConnection:1',
  'urn:schemas-upnp-org:service:WANPPPConnection:1',
  'urn:dslforum-org:service:WANIPConnection:1',
  'urn:dslforum-org:service:WANPPPConnection:1',
]
const MAX_CONTROLS = 8

export type SoapArgs = readonly (readonly [name: string, value: string | number])[]

export interface SoapReply {
  /** Own text of the first element of each local name. */
  readonly values: ReadonlyMap<string, string>
  /** UPnP's error code when the router refused. */
  readonly errorCode: number | undefined
}

/** The services of a description that can map ports, best first; at most 8. */
export function readDescription(xml: string, at: UpnpPlace): UpnpControl[] {
  const found: { type: string; url: string }[] = []
  let type = ''
  let url = ''
  let base: UpnpPlace | undefined
  readXml(xml, (name, text) => {
    if (name === 'URLBase') base ??= httpPlace(text)
    else if (name === 'serviceType') type = text
    else if (name === 'controlURL') url = text
    else if (name === 'service') {
      if (TYPES.includes(type) && url !== '') found.push({ type, url })
      type = url = ''
    }
  })
  const controls = found.flatMap((one) => {
    const place = resolvePath(one.url, base ?? at)
    return place ? [{ ...place, type: one.type }] : []
  })
  return controls.sort((a, b) => TYPES.indexOf(a.type) - TYPES.indexOf(b.type)).slice(0, MAX_CONTROLS)
}

function resolvePath(url: string, base: UpnpPlace): UpnpPlace | undefined {
  if (/^[a-z]+:\/\//i.test(url)) return httpPlace(url)
  const path = url.startsWith('/') ? url : base.path.replace(/[^/]*$/, '') + url
  return httpPlace(`http://gateway:${base.port}${path}`)
}

/** Headers and body of one question to a service. */
export function soapRequest(type: string, action: string, args: SoapArgs): { readonly headers: Readonly<Record<string, string>>; readonly body: string } {
  const inner = args.map(([name, value]) => `<${name}>${value}</${name}>`).join('')
  return {
    headers: { 'content-type': 'text/xml; charset="utf-8"', soapaction: `"${type}#${action}"` },
    body:
      '<?xml version="1.0"?>\r\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">' +
      `<s:Body><u:${action} xmlns:u="${type}">${inner}</u:${action}></s:Body></s:Envelope>\r\n`,
  }
}

export function readSoapReply(status: number, xml: string): SoapReply {
  const values = new Map<string, string>()
  readXml(xml, (name, text) => {
    if (!values.has(name)) values.set(name, text)
  })
  if (status === 200 && !values.has('Fault')) return { values, errorCode: undefined }
  const code = Number(values.get('errorCode') ?? Number.NaN)
  return { values, errorCode: Number.isInteger(code) && code >= 0 && code <= 9999 ? code : 501 }
}
