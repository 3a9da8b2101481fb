/**
 * Writes build/THIRD-PARTY-NOTICES.txt: every package that ships in the bundle or in the add-on, with its licence text.
 *
 * Sources of truth: package.json's runtime dependencies, what the window's sources import, and `cargo metadata` of native/. A licence outside the list of
 * permissive ones (and MPL-2.0, whose sources stay public at their own repository) fails the run.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from './sources.mjs'

const ALLOWED = /^[()\s]*((0BSD|MIT|MIT-0|Apache-2\.0( WITH LLVM-exception)?|BSD-2-Clause|BSD-3-Clause|ISC|CC0-1\.0|Unicode-3\.0|Zlib|MPL-2\.0|OpenSSL|Unlicense|BSL-1\.0|CDLA-Permissive-2\.0)[()\s]*( OR | AND |\/)?[()\s]*)+$/

/** Licence texts lying beside a package's manifest. */
function licenceTexts(folder) {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name)) : []
  return names.sort().flatMap((name) => {
    try {
      return [readFileSync(join(folder, name), 'utf8').trim()]
    } catch {
      return []
    }
  })
}

/** Packages that the window is bundled with: named by its sources, types left aside. */
function windowPackages() {
  const files = ['renderer', 'main/words'].flatMap((folder) => readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' }).map((name) => `${root}${folder}/${name}`)).filter((name) => /\.tsx?$/.test(name))
  const imports = files.flatMap((name) => [...readFileSync(name, 'utf8').matchAll(/^import (?!type).*from '((?:@[\w-]+\/)?[\w-]+)/gm)])
  return [...new Set(imports.map(([, name]) => name))]
}

function npmPackages() {
  const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
  const waiting = [...Object.keys(manifest.dependencies ?? {}), ...windowPackages()]
  const found = new Map()
  // What a dependency depends on is bundled with it.
  for (const name of waiting) {
    if (found.has(name)) continue
    const folder = `${root}node_modules/${name}`
    const { version, license, repository, dependencies } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'))
    found.set(name, { name, version, license, source: repository?.url ?? repository ?? '', texts: licenceTexts(folder) })
    waiting.push(...Object.keys(dependencies ?? {}))
  }
  return [...found.values()]
}

function crates() {
  const json = execFileSync('cargo', ['metadata', '--format-version', '1', '--locked', '--filter-platform', 'x86_64-unknown-linux-gnu'], {
    cwd: `${root}native`, maxBuffer: 256 * 1024 * 1024, encoding: 'utf8',
  })
  const { packages, workspace_members: members, resolve } = JSON.parse(json)
  const byId = new Map(packages.map((pkg) => [pkg.id, pkg]))
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]))
  const reached = new Set()
  const walk = (id) => {
    if (reached.has(id)) return
    reached.add(id)
    for (const dep of nodes.get(id).deps) if (dep.dep_kinds.some((kind) => kind.kind === null)) walk(dep.pkg)
  }
  members.forEach(walk)
  return [...reached]
    .map((id) => byId.get(id))
    .filter((pkg) => pkg.source !== null || pkg.name === 'smoltcp')
    .map((pkg) => ({ name: pkg.name, version: pkg.version, license: pkg.license ?? 'unknown', source: pkg.repository ?? '', texts: licenceTexts(dirname(pkg.manifest_path)) }))
}

const all = [...npmPackages(), ...crates()].sort((a, b) => a.name.localeCompare(b.name) || a.version.localeCompare(b.version))
const refused = all.filter((pkg) => !ALLOWED.test(pkg.license))
/** Each different text once, in the order of first use; the packages name it by number. */
const texts = [...new Set(all.flatMap((pkg) => pkg.texts))]
const rule = '-'.repeat(78)
const parts = all.map((pkg) => {
  const numbers = pkg.texts.map((text) => `[${texts.indexOf(text) + 1}]`).join(' ')
  return `${pkg.name} ${pkg.version}\n  ${pkg.license}; ${pkg.source}\n  texts: ${numbers || 'none in the package'}\n`
})
const bodies = texts.map((text, index) => `${rule}\n[${index + 1}]\n\n${text}\n`)
const intro = 'Bowline contains or is built with the following third-party software.\nPackages under MPL-2.0 are used unchanged; their sources are at the address named with each.\n\n'
writeFileSync(`${root}build/THIRD-PARTY-NOTICES.txt`, `${intro}${parts.join('')}\n${bodies.join('\n')}`)
console.log(`${all.length} packages written to build/THIRD-PARTY-NOTICES.txt`)
if (refused.length > 0) {
  for (const pkg of refused) console.error(`licence to look at: ${pkg.name} ${pkg.version}: ${pkg.license}`)
  process.exit(1)
}
