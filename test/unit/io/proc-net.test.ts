import fc from 'fast-check'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { arpRows, printersOf, route6Rows, routeRows, tcpRows } from '../../../main/engine/io/proc-net.ts'
import { seenOnLinux } from '../../../main/engine/io/surroundings.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'

const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2001 1 0000000000000000 100 0 0 10 0
   1: 0501A8C0:0016 2C01A8C0:C350 01 00000000:00000000 02:000A0000 00000000     0        0 2002 2 0000000000000000 20 4 30 10 -1
   2: 0501A8C0:9C40 096471CB:01BB 01 00000000:00000000 00:00000000 00000000  1000        0 2003 1 0000000000000000 20 4 30 10 -1
`
const TCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0000000000000000FFFF00000501A8C0:170D 0000000000000000FFFF00002D01A8C0:D431 01 00000000:00000000 00:00000000 00000000     0        0 2004 1 0000000000000000 20 4 30 10 -1
   1: 00000000000000000000000000000000:170D 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2005 1 0000000000000000 100 0 0 10 0
`
const ARP = `IP address       HW type     Flags       HW address            Mask     Device
192.168.1.1      0x1         0x2         02:00:00:00:00:01     *        wlan0
192.168.1.99     0x1         0x0         00:00:00:00:00:00     *        wlan0
`
const ROUTE = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
wlan0	00000000	0101A8C0	0003	0	0	600	00000000	0	0	0
wg0	0000080A	00000000	0001	0	0	0	0000FFFF	0	0	0
wlan0	0001A8C0	00000000	0001	0	0	600	00FFFFFF	0	0	0
`
const ROUTE6 = `fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001    wlan0
20010db8000100000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001    wlan0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003    wlan0
`
const PRINTERS = `# Printer configuration file for CUPS v2.4
<DefaultPrinter HP-2>
UUID urn:uuid:1
Info HP LaserJet, second floor
DeviceURI socket://192.168.1.20:9100
</DefaultPrinter>
<Printer Office>
DeviceURI ipps://user:secret@printer.corp.example:443/ipp/print
</Printer>
<Printer Found>
Info Brother
DeviceURI dnssd://Brother._ipp._tcp.local/?uuid=1
</Printer>
<Printer Usb>
DeviceURI usb://HP/LaserJet
</Printer>
`

describe('tables of the kernel', () => {
  test('give sockets with addresses as people write them, IPv4 inside IPv6 among them', () => {
    expect(tcpRows(TCP)[1]).toEqual({ local: { ip: '192.168.1.5', port: 22 }, remote: { ip: '192.168.1.44', port: 50_000 }, state: '01', inode: '2002' })
    expect(tcpRows(TCP6)[0]).toMatchObject({ local: { ip: '192.168.1.5', port: 5901 }, remote: { ip: '192.168.1.45', port: 54_321 } })
  })

  test('give machines that answered, and networks without default routes', () => {
    expect(arpRows(ARP)).toEqual([{ ip: '192.168.1.1', interface: 'wlan0' }])
    expect(routeRows(ROUTE)).toEqual([{ prefix: '10.8.0.0/16', interface: 'wg0' }, { prefix: '192.168.1.0/24', interface: 'wlan0' }])
    expect(route6Rows(ROUTE6)).toEqual([{ prefix: '2001:db8:1::/64', interface: 'wlan0' }])
  })

  test('of nonsense give nothing, and never fail', () => {
    fc.assert(fc.property(fc.string({ maxLength: 500 }), (text) => {
      for (const whole of [text, `head\n${text}`]) for (const read of [tcpRows, arpRows, routeRows, route6Rows, printersOf]) read(whole)
    }))
    expect(tcpRows('x\n0: ZZ:0016 00000000:0000 0A a b c d e f')).toEqual([])
  })
})

test('printers of CUPS are those on the network, without the secrets of their addresses', () => {
  expect(printersOf(PRINTERS)).toEqual([
    { name: 'HP LaserJet, second floor', host: '192.168.1.20' }, { name: 'Office', host: 'printer.corp.example' }, { name: 'Brother', host: '' },
  ])
})

describe('a whole computer', () => {
  const root = makeTempDir('proc')
  afterAll(() => removeTempDir(root))

  test('is seen with the programs that have its connections, and which of these came in', () => {
    mkdirSync(join(root, 'proc/net'), { recursive: true })
    mkdirSync(join(root, 'proc/812/fd'), { recursive: true })
    for (const [name, text] of [['tcp', TCP], ['tcp6', TCP6], ['arp', ARP], ['route', ROUTE], ['ipv6_route', ROUTE6]] as const) writeFileSync(join(root, 'proc/net', name), text)
    writeFileSync(join(root, 'proc/812/comm'), 'sshd\n')
    symlinkSync('socket:[2002]', join(root, 'proc/812/fd/4'))
    const seen = seenOnLinux(() => 0, root)
    expect(seen.connections.map(({ remote, isInbound, isOurs, program }) => ({ from: remote.ip, isInbound, isOurs, program }))).toEqual([
      { from: '192.168.1.44', isInbound: true, isOurs: false, program: 'sshd' }, { from: '203.113.100.9', isInbound: false, isOurs: false, program: undefined },
      { from: '192.168.1.45', isInbound: true, isOurs: false, program: undefined },
    ])
    expect(seen.printers).toEqual([])
  })

  test('where nothing can be read is a computer with nothing on it', () => {
    expect(seenOnLinux(() => 0, '/nowhere')).toEqual({ connections: [], neighbours: [], printers: [], nets: [] })
  })
})
