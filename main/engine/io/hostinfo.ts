/**
 * What this machine truly is, for control's Hostinfo: system, version, distribution, host name, hardware.
 */
import { existsSync, readFileSync } from 'node:fs'
import { arch, hostname, machine, platform, release } from 'node:os'
import type { Hostinfo } from '../core/tailcfg/types.ts'

/** Go's names of the processors that Node names otherwise. */
const GO_ARCH: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', arm64: 'arm64', arm: 'arm', riscv64: 'riscv64', ppc64: 'ppc64', s390x: 's390x', loong64: 'loong64' }

/** Longest word of the system about itself, characters. */
const MAX_WORD = 100
/** Of a DNS name's label. */
const MAX_LABEL = 63

/** Control's name of this system. */
export function systemName(): 'linux' | 'windows' | 'macOS' {
  return platform() === 'win32' ? 'windows' : platform() === 'darwin' ? 'macOS' : 'linux'
}

/** Facts that do not change while the engine runs, but for the host name. `version` is the engine's own. */
export function readHostinfo(version: string, options: { userspace: boolean; userspaceRouter: boolean; noLogsNoSupport: boolean }): Hostinfo {
  const os = systemName()
  const container = os === 'linux' ? inContainer() : undefined
  return {
    IPNVersion: version,
    OS: os,
    OSVersion: os === 'linux' ? release().replace(/-.*$/, '') : os === 'macOS' ? (macVersion() ?? release()) : release(),
    ...(os === 'linux' ? { ...distribution(), ...deviceModel() } : {}),
    ...(container !== undefined ? { Container: container } : {}),
    Desktop: isDesktop(os),
    ...hostName(hostname()),
    Machine: machine(),
    GoArch: GO_ARCH[arch()] ?? arch(),
    Package: 'bowline',
    Userspace: options.userspace,
    UserspaceRouter: options.userspaceRouter,
    StateEncrypted: false,
    ...(options.noLogsNoSupport ? { NoLogsNoSupport: true } : {}),
  }
}

/** The first label of the machine's name, without what no name may hold; nothing when none is left: the server then finds one. */
export function hostName(name: string): Pick<Hostinfo, 'Hostname'> {
  const label = name.split('.', 1)[0]!.replace(/[^\p{L}\p{N}_-]+/gu, '-').replace(/^-+|-+$/g, '').slice(0, MAX_LABEL)
  return label === '' ? {} : { Hostname: label }
}

/** ProductVersion of macOS; Node tells Darwin's alone. */
export function macVersion(read: (path: string) => string | undefined = readText): string | undefined {
  const text = read('/System/Library/CoreServices/SystemVersion.plist') ?? ''
  return /<key>ProductVersion<\/key>\s*<string>([\d.]{1,32})<\/string>/.exec(text)?.[1]
}

/** What a board calls itself, where its firmware says so. */
export function deviceModel(read: (path: string) => string | undefined = readText): Pick<Hostinfo, 'DeviceModel'> {
  const model = (read('/sys/firmware/devicetree/base/model') ?? '').replace(/[^\x20-\x7e]/g, '').trim().slice(0, 200)
  return model === '' ? {} : { DeviceModel: model }
}

/** ID, VERSION_ID and VERSION_CODENAME of os-release; Debian's own file is more exact about its version. */
export function distribution(read: (path: string) => string | undefined = readText): Pick<Hostinfo, 'Distro' | 'DistroVersion' | 'DistroCodeName'> {
  const text = read('/etc/os-release') ?? read('/usr/lib/os-release')
  if (text === undefined) return {}
  const fields = new Map<string, string>()
  for (const line of text.split('\n')) {
    const match = /^([A-Z_]+)=(?:"([^"]*)"|'([^']*)'|(\S*))\s*$/.exec(line)
    if (match) fields.set(match[1]!, (match[2] ?? match[3] ?? match[4] ?? '').slice(0, MAX_WORD))
  }
  const id = fields.get('ID')
  const exact = id === 'debian' ? read('/etc/debian_version')?.trim().slice(0, MAX_WORD) : undefined
  const version = exact !== undefined && /^\d/.test(exact) ? exact : fields.get('VERSION_ID')
  const codeName = fields.get('VERSION_CODENAME')
  return {
    ...(id !== undefined && id !== '' ? { Distro: id } : {}),
    ...(version !== undefined && version !== '' ? { DistroVersion: version } : {}),
    ...(codeName !== undefined && codeName !== '' ? { DistroCodeName: codeName } : {}),
  }
}

function inContainer(): boolean {
  if (existsSync('/.dockerenv') || existsSync('/run/.containerenv')) return true
  return /\/(docker|lxc|kubepods|containerd)/.test(readText('/proc/1/cgroup') ?? '')
}

function isDesktop(os: string): boolean {
  if (os !== 'linux') return true
  return existsSync('/usr/share/xsessions') || existsSync('/usr/share/wayland-sessions')
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
