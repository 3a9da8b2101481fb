import { hostname } from 'node:os'
import { describe, expect, test } from 'vitest'
import { deviceModel, distribution, hostName, macVersion, readHostinfo } from '../../../main/engine/io/hostinfo.ts'

const from = (files: Record<string, string>): ReturnType<typeof distribution> => distribution((path) => files[path])

describe('what this machine is', () => {
  test('the distribution comes from os-release, quotes or not', () => {
    expect(from({ '/etc/os-release': 'NAME="Fedora Linux"\nID=fedora\nVERSION_ID=42\nVERSION_CODENAME=""\n' })).toEqual({ Distro: 'fedora', DistroVersion: '42' })
  })

  test('Debian says its exact version in its own file', () => {
    expect(from({ '/etc/os-release': 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n', '/etc/debian_version': '12.11\n' })).toEqual({ Distro: 'debian', DistroVersion: '12.11', DistroCodeName: 'bookworm' })
  })

  test('a system without the file has none', () => {
    expect(from({})).toEqual({})
  })

  test.each([['box.lan', 'box'], ['Ada’s Mac book', 'Ada-s-Mac-book'], ['büro-1', 'büro-1'], ['x'.repeat(80), 'x'.repeat(63)], ['a\u0000b\n', 'a-b'], ['', undefined], ['...', undefined]])('the name %j is told as %j', (name, told) => {
    expect(hostName(name).Hostname).toBe(told)
  })

  test("macOS tells its own version, and a board what it calls itself", () => {
    const plist = '<dict><key>ProductName</key><string>macOS</string><key>ProductVersion</key>\n\t<string>15.1.1</string></dict>'
    expect(macVersion(() => plist)).toBe('15.1.1')
    expect(macVersion(() => undefined)).toBeUndefined()
    expect(deviceModel(() => 'Raspberry Pi 5 Model B\u0000')).toEqual({ DeviceModel: 'Raspberry Pi 5 Model B' })
    expect(deviceModel(() => undefined)).toEqual({})
  })

  test('this machine tells its true name and system, and no feature that is not there', () => {
    const info = readHostinfo('1.2.3', { userspace: true, userspaceRouter: true, noLogsNoSupport: false })
    expect(info).toMatchObject({ IPNVersion: '1.2.3', Hostname: hostname().split('.')[0], Userspace: true })
    expect(info.OS).toMatch(/^(linux|windows|macOS)$/)
    for (const absent of ['PeerRelay', 'sshHostKeys', 'WireIngress', 'AppConnector', 'NoLogsNoSupport']) expect(info).not.toHaveProperty(absent)
  })
})
