/**
 * What routers answer instead of a port, in words for people. Pure.
 *
 * Source: RFC 6886 §3.5, RFC 6887 §7.4, UPnP Forum WANIPConnection:2 §2.5.16–17.
 */

const PMP: Readonly<Record<number, string>> = {
  1: 'it does not speak this version',
  2: 'not authorised: port mapping is switched off for this device',
  3: 'it has no address of its own at present',
  4: 'it has no ports left',
  5: 'it does not know the question',
}

const PCP: Readonly<Record<number, string>> = {
  1: 'it does not speak this version',
  2: 'not authorised: port mapping is switched off for this device',
  3: 'it found the question malformed',
  4: 'it does not know the question',
  5: 'it does not know an option',
  6: 'it found an option malformed',
  7: 'it has no address of its own at present',
  8: 'it has no ports left',
  9: 'it maps no UDP ports',
  10: 'this device has too many ports already',
  11: 'it cannot give that outer address',
  12: 'it sees this device under another address: there is a second router in between',
  13: 'too many peers',
}

const UPNP: Readonly<Record<number, string>> = {
  401: 'it does not know the question',
  402: 'it found the question malformed',
  501: 'it failed',
  606: 'not authorised: port mapping is switched off for this device',
  715: 'it wants to know who will call',
  716: 'it wants to choose the outer port itself',
  718: 'the outer port is taken',
  724: 'it maps only equal ports inside and outside',
  725: 'it gives ports without an end only',
  728: 'it has no ports left',
}

export function pmpRefusal(result: number): string {
  return PMP[result] ?? `result ${result}`
}

export function pcpRefusal(result: number): string {
  return PCP[result] ?? `result ${result}`
}

export function upnpRefusal(code: number): string {
  return UPNP[code] ?? `error ${code}`
}
