/**
 * SSDP answers, device descriptions and SOAP replies: miniupnpd 2.3.1's own, and what hostile or careless routers send.
 */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readDescription, readSoapReply, soapRequest, WAN_IP_2 } from '../../../../main/engine/core/portmap/igd.ts'
import { httpPlace, readSsdpAnswer, ssdpQuestions } from '../../../../main/engine/core/portmap/ssdp.ts'
import { MAX_XML_CHARS, readXml } from '../../../../main/engine/core/portmap/xml.ts'

const MINIUPNPD = readFileSync(new URL('../../../vectors/igd-miniupnpd.xml', import.meta.url), 'utf8')
const AT = { port: 5000, path: '/rootDesc.xml' }
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const answer = (location: string, type = 'urn:schemas-upnp-org:device:InternetGatewayDevice:1'): Uint8Array =>
  bytes(`HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: ${type}\r\nLocation: ${location}\r\n\r\n`)

const service = (type: string, url: string): string => `<service><serviceType>${type}</serviceType><controlURL>${url}</controlURL></service>`
const describing = (...services: string[]): string => `<root><device><serviceList>${services.join('')}</serviceList></device></root>`

describe('SSDP', () => {
  it('asks the gateway, then everybody, in HTTP over UDP', () => {
    const asked = ssdpQuestions('192.168.1.1').map(({ to, bytes: question }) => `${to} ${new TextDecoder().decode(question)}`)
    expect(asked.map((text) => text.split(' ')[0])).toEqual(['192.168.1.1', '192.168.1.1', '239.255.255.250', '239.255.255.250'])
    expect(asked[3]).toBe(
      '239.255.255.250 M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nMAN: "ssdp:discover"\r\nMX: 1\r\n\r\n',
    )
    expect(asked[0]).not.toContain('MX:')
  })

  it('reads where a router says its description lies, whatever host it names', () => {
    expect(readSsdpAnswer(answer('http://192.168.1.1:5000/rootDesc.xml'))).toEqual(AT)
    expect(readSsdpAnswer(answer('http://[fe80::1]:5000/rootDesc.xml'))).toEqual(AT)
    expect(readSsdpAnswer(answer('http://attacker.example:5000/rootDesc.xml'))).toEqual(AT)
    expect(readSsdpAnswer(answer('http://192.168.1.1'))).toEqual({ port: 80, path: '/' })
    expect(readSsdpAnswer(bytes('HTTP/1.1 200 OK\nUSN: uuid:1::urn:schemas-upnp-org:device:InternetGatewayDevice:2\nlocation:http://10.0.0.1:1/a\n\n'))).toEqual({ port: 1, path: '/a' })
  })

  it.each([
    ['another kind of device', answer('http://192.168.1.2:80/d.xml', 'urn:schemas-upnp-org:device:MediaServer:1')],
    ['a notice', bytes('NOTIFY * HTTP/1.1\r\nNT: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nLOCATION: http://1.1.1.1/\r\n\r\n')],
    ['another scheme', answer('https://192.168.1.1/d.xml')],
    ['a file', answer('file:///etc/passwd')],
    ['port 0', answer('http://192.168.1.1:0/d.xml')],
    ['port 65536', answer('http://192.168.1.1:65536/d.xml')],
    ['a space in the path', answer('http://192.168.1.1/a b')],
    ['a name with a password', answer('http://user:pass@192.168.1.1/a')],
    ['a path without end', answer(`http://192.168.1.1/${'a'.repeat(600)}`)],
    ['no location', bytes('HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n')],
    ['an answer without end', answer(`http://192.168.1.1/a\r\nX: ${'a'.repeat(5000)}`)],
    ['nothing', new Uint8Array()],
  ])('takes %s for no router', (_, datagram) => {
    expect(readSsdpAnswer(datagram)).toBeUndefined()
  })

  it('reads or drops any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (datagram) => {
      const place = readSsdpAnswer(datagram)
      if (place) expect(place.port).toBeGreaterThan(0)
    }))
    fc.assert(fc.property(fc.string({ unit: 'binary-ascii' }), (url) => {
      const place = httpPlace(`http://192.168.1.1${url}`)
      if (place) expect(place.path).toMatch(/^\/[\x21-\x7e]*$/)
    }))
  })
})

describe('a description', () => {
  it('of miniupnpd names the service that maps ports', () => {
    expect(readDescription(MINIUPNPD, AT)).toEqual([{ port: 5000, path: '/ctl/IPConn', type: WAN_IP_2 }])
  })

  it('names the newest service first, in either maker’s spelling', () => {
    const types = ['urn:dslforum-org:service:WANIPConnection:1', 'urn:schemas-upnp-org:service:WANPPPConnection:1', 'urn:schemas-upnp-org:service:WANIPConnection:1', WAN_IP_2, 'urn:x:service:Other:1']
    expect(readDescription(describing(...types.map((type, i) => service(type, `/${i}`))), AT).map(({ path }) => path)).toEqual(['/3', '/2', '/1', '/0'])
  })

  it('leads to the gateway alone, at the base that it names', () => {
    expect(readDescription(describing(service(WAN_IP_2, 'http://attacker.example:81/ctl')), AT)).toEqual([{ port: 81, path: '/ctl', type: WAN_IP_2 }])
    expect(readDescription(describing(service(WAN_IP_2, 'ctl')), { port: 5000, path: '/a/b.xml' })).toEqual([{ port: 5000, path: '/a/ctl', type: WAN_IP_2 }])
    expect(readDescription(`<root><URLBase>http://192.168.1.1:49152/x/</URLBase>${describing(service(WAN_IP_2, 'ctl'))}</root>`, AT)).toEqual([{ port: 49_152, path: '/x/ctl', type: WAN_IP_2 }])
    for (const url of ['https://192.168.1.1/ctl', 'gopher://x/', '/a b', '']) expect(readDescription(describing(service(WAN_IP_2, url)), AT)).toEqual([])
  })

  it('may have the faults that real routers make', () => {
    expect(readDescription(describing('<friendlyName>AT&T Router</friendlyName>', service(WAN_IP_2, '/ctl?a=1&amp;b=2')), AT)).toEqual([{ port: 5000, path: '/ctl?a=1&b=2', type: WAN_IP_2 }])
    expect(readDescription(`\n${describing(service(WAN_IP_2, '/ctl'))}\0\0`, AT)).toHaveLength(1)
    expect(readDescription(`<d:root xmlns:d="x">${describing(service(WAN_IP_2, '/ctl')).replaceAll(/<(\/?)/g, '<$1d:')}</d:root>`, AT)).toHaveLength(1)
  })

  it('names at most eight services', () => {
    expect(readDescription(describing(...Array.from({ length: 100 }, (_, i) => service(WAN_IP_2, `/${i}`))), AT)).toHaveLength(8)
  })
})

describe('hostile XML', () => {
  it('expands no entities of its own', () => {
    const bomb = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]><r><x>&b;&c;</x></r>'
    const texts: string[] = []
    readXml(bomb, (_, text) => texts.push(text))
    expect(texts.join('')).not.toMatch(/aaaa|root:/)
  })

  it.each([
    ['too long', `<r>${'a'.repeat(MAX_XML_CHARS)}</r>`],
    ['too deep', '<a>'.repeat(40)],
    ['of too many elements', `<r>${'<a/>'.repeat(3000)}</r>`],
    ['of too many faults', `<r>${'</x>'.repeat(100)}</r>`],
  ])('is cut off when it is %s', (_, text) => {
    expect(readXml(text, () => {})).toBe(false)
  })

  it('has its long texts cut', () => {
    const texts: string[] = []
    readXml(`<r>${'a'.repeat(50_000)}</r>`, (_, text) => texts.push(text))
    expect(texts[0]!.length).toBe(1024)
  })

  it('of any kind is read or cut off', () => {
    const piece = fc.oneof(fc.string(), fc.constantFrom('<', '</', '>', '/>', '<service>', '</service>', '<!DOCTYPE ', '<![CDATA[', ']]>', '<!--', '-->', '&', '&#0;', '&#x110000;', '<?xml ', '?>', '\0', '<a:b:c>', '<a b="'))
    fc.assert(fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      for (const control of readDescription(pieces.join(''), AT)) expect(control.path).toMatch(/^\//)
    }), { numRuns: 300 })
  })
})

describe('SOAP', () => {
  it('asks with the action in a header and its values in the body', () => {
    const { headers, body } = soapRequest(WAN_IP_2, 'GetExternalIPAddress', [['NewRemoteHost', ''], ['NewExternalPort', 5]])
    expect(headers['soapaction']).toBe(`"${WAN_IP_2}#GetExternalIPAddress"`)
    expect(body).toContain(`<s:Body><u:GetExternalIPAddress xmlns:u="${WAN_IP_2}"><NewRemoteHost></NewRemoteHost><NewExternalPort>5</NewExternalPort></u:GetExternalIPAddress></s:Body>`)
  })

  it('reads values and refusals', () => {
    const ok = '<s:Envelope xmlns:s="x"><s:Body><u:R xmlns:u="y"><NewReservedPort>5000</NewReservedPort></u:R></s:Body></s:Envelope>'
    expect(readSoapReply(200, ok).values.get('NewReservedPort')).toBe('5000')
    const fault = '<s:Envelope xmlns:s="x"><s:Body><s:Fault><detail><UPnPError><errorCode>718</errorCode></UPnPError></detail></s:Fault></s:Body></s:Envelope>'
    expect(readSoapReply(500, fault).errorCode).toBe(718)
    expect(readSoapReply(200, fault).errorCode).toBe(718)
    expect(readSoapReply(404, 'not found').errorCode).toBe(501)
    expect(readSoapReply(500, fault.replace('718', '99999999')).errorCode).toBe(501)
  })
})
