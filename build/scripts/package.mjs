/**
 * `npm run package`: makes packages of what is built, in build/.cache/packages.
 *
 *   npm run package -- --linux dir        the unpacked app; with ELECTRON_OVERRIDE_DIST_PATH no network is needed
 *   npm run package -- --linux deb        a Debian package of that, by the system's own dpkg-deb (no network)
 *   npm run package -- --linux AppImage rpm | --win nsis msi | --mac dmg zip      by electron-builder, with tools that it fetches
 *   --store                               the Debian package without compression, in seconds
 *   --x64 | --arm64                       for another processor: its add-on must lie in native/
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Arch, build, Platform } from 'electron-builder'
import { config } from '../package/config.mjs'
import { makeDeb } from '../package/deb.mjs'
import { freshen } from './fresh.mjs'
import { root } from './sources.mjs'

const PLATFORMS = { '--linux': Platform.LINUX, '--win': Platform.WINDOWS, '--mac': Platform.MAC }
const HERE = { linux: '--linux', win32: '--win', darwin: '--mac' }[process.platform]
const output = `${root}build/.cache/packages`

const words = process.argv.slice(2)
const flag = words.find((word) => word in PLATFORMS) ?? HERE
const arch = words.includes('--arm64') ? 'arm64' : words.includes('--x64') ? 'x64' : process.arch
const targets = words.filter((word) => !word.startsWith('--'))

/** A runtime that lies here already: what ELECTRON_OVERRIDE_DIST_PATH names, for Linux on this processor alone. */
function givenElectron() {
  const dist = process.env.ELECTRON_OVERRIDE_DIST_PATH
  if (!dist || flag !== '--linux' || process.platform !== 'linux' || arch !== process.arch) return undefined
  const version = /Chrome\/[\d.]+ Electron\/(\d+\.\d+\.\d+)/.exec(readFileSync(join(dist, 'electron'), 'latin1'))?.[1]
  if (version === undefined) throw new Error(`${dist}/electron tells no version`)
  return { dist, version }
}

if (!freshen()) process.exit(1)
const system = { '--linux': 'linux', '--win': 'win32', '--mac': 'darwin' }[flag]
if (!existsSync(`${root}native/bowline.${system}-${arch}.node`)) {
  console.error(`native/bowline.${system}-${arch}.node is not here: the package would carry no packets. Build it on such a machine: npm run build:native`)
  process.exit(1)
}
const wantsDeb = targets.includes('deb')
const others = targets.filter((target) => target !== 'deb' && target !== 'dir')
const wanted = wantsDeb || targets.includes('dir') ? ['dir', ...others] : others
const unpacked = join(output, `linux${arch === 'x64' ? '' : `-${arch}`}-unpacked`)
if (flag === '--linux') rmSync(unpacked, { recursive: true, force: true })

const made = await build({ projectDir: root, targets: PLATFORMS[flag].createTarget(wanted.length > 0 ? wanted : undefined, Arch[arch]), config: config(output, givenElectron()) })
if (wantsDeb) made.push(makeDeb(unpacked, output, arch, words.includes('--store')))
for (const path of made.length > 0 ? made : [unpacked]) console.log(path)
