import { hostname } from 'node:os'
import { describe, expect, test } from 'vitest'
import { distribution, readHostinfo } from '../../../main/engine/io/hostinfo.ts'

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

  test('this machine tells its true name and system, and no feature that is not there', () => {
    const info = readHostinfo('1.2.3', { userspace: true, noLogsNoSupport: false })
    expect(info).toMatchObject({ IPNVersion: '1.2.3', Hostname: hostname().split('.')[0], Userspace: true })
    expect(info.OS).toMatch(/^(linux|windows|macOS)$/)
    for (const absent of ['PeerRelay', 'sshHostKeys', 'WireIngress', 'AppConnector', 'NoLogsNoSupport']) expect(info).not.toHaveProperty(absent)
  })
})
