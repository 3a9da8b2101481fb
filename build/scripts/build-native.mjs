/**
 * Builds the Rust add-on and puts it at native/bowline.<platform>-<arch>.node, where main/engine/io/native.ts looks.
 *
 * Skips at once when nothing changed since the last build (sizes and times of the sources, kept beside the build). A missing
 * or too old Rust toolchain is one line and exit 0: everything but carrying packets works without. A failed build is exit 1.
 * `--force` builds in any case.
 */
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))
const native = `${root}native/`
const crates = ['addon', 'dataplane', 'device', 'netstack', 'packet-loop', 'smoltcp']
const output = `${native}bowline.${process.platform}-${process.arch}.node`
const stamp = `${root}build/.cache/native.stamp`

/** Every file that the build reads, with size and time. */
function fingerprint() {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}\n`)
  const add = (path) => {
    const { size, mtimeMs } = statSync(path)
    hash.update(`${path.slice(native.length)} ${size} ${mtimeMs}\n`)
  }
  const walk = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = `${folder}/${entry.name}`
      if (entry.isDirectory()) {
        if (entry.name !== 'target' && entry.name !== 'tests' && entry.name !== 'examples') walk(path)
      } else if (/\.(rs|toml)$/.test(entry.name)) add(path)
    }
  }
  add(`${native}Cargo.toml`)
  if (existsSync(`${native}Cargo.lock`)) add(`${native}Cargo.lock`)
  for (const crate of crates) if (existsSync(native + crate)) walk(native + crate)
  return hash.digest('hex')
}

/** The least Rust version that the workspace asks for. */
const wanted = /^rust-version = "(\d+)\.(\d+)/m.exec(readFileSync(`${native}Cargo.toml`, 'utf8'))

/** One line of what is missing, or undefined. */
function missing() {
  const { status, stdout } = spawnSync('cargo', ['--version'], { encoding: 'utf8', cwd: native })
  if (status !== 0) return `cargo is not here: install Rust ${wanted[1]}.${wanted[2]} or later (https://rustup.rs)`
  const found = /(\d+)\.(\d+)\.\d+/.exec(stdout)
  const old = !found || Number(found[1]) < Number(wanted[1]) || (found[1] === wanted[1] && Number(found[2]) < Number(wanted[2]))
  return old ? `${stdout.trim()} is too old: Rust ${wanted[1]}.${wanted[2]} or later is needed (rustup update)` : undefined
}

const library = { darwin: 'libaddon.dylib', win32: 'addon.dll' }[process.platform] ?? 'libaddon.so'
const force = process.argv.includes('--force')
const now = fingerprint()
if (!force && existsSync(output) && existsSync(stamp) && readFileSync(stamp, 'utf8') === now) process.exit(0)

const why = missing()
if (why) {
  console.warn(`The native add-on was not built: ${why}.`)
  process.exit(0)
}
console.log('Building the native add-on (about two minutes the first time) …')
const locked = existsSync(`${native}Cargo.lock`) ? ['--locked'] : []
const { status } = spawnSync('cargo', ['build', '--release', ...locked, '-p', 'addon'], { cwd: native, stdio: 'inherit' })
if (status !== 0) {
  console.error('The native add-on was not built: cargo failed, see above.')
  process.exit(1)
}
const target = process.env.CARGO_TARGET_DIR ?? `${native}target`
// A running engine keeps the old file: the new one takes its name, not its place.
copyFileSync(`${target}/release/${library}`, `${output}.new`)
renameSync(`${output}.new`, output)
mkdirSync(`${root}build/.cache`, { recursive: true })
writeFileSync(stamp, now)
console.log(`Built ${output.slice(root.length)}.`)
