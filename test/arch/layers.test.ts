/**
 * Checks the layer table of main/engine/README.md: who may import whom, no cycles between folders, no barrels, no giants.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSync } from 'oxc-parser'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

function sourcesBelow(folder: string): string[] {
  const out: string[] = []
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) out.push(...sourcesBelow(path))
    else if (/\.tsx?$/.test(entry.name)) out.push(path)
  }
  return out
}

/** Every import of a file, type imports, re-exports and dynamic ones included; relative ones as project paths. */
function importsOf(file: string): Import[] {
  const { module } = parseSync(file, readFileSync(join(root, file), 'utf8'))
  const found: Import[] = []
  const add = (specifier: string, typeOnly: boolean): void => {
    const to = specifier.startsWith('.') ? relative(root, resolve(root, dirname(file), specifier)) : specifier
    found.push({ from: file, to, typeOnly })
  }
  for (const item of module.staticImports) add(item.moduleRequest.value, item.entries.length > 0 && item.entries.every((entry) => entry.isType))
  for (const item of module.staticExports) for (const entry of item.entries) if (entry.moduleRequest) add(entry.moduleRequest.value, entry.isType)
  for (const item of module.dynamicImports) {
    const text = readFileSync(join(root, file), 'utf8').slice(item.moduleRequest.start, item.moduleRequest.end)
    if (/^['"`]/.test(text)) add(text.slice(1, -1), false)
  }
  return found
}

/** The room a file lives in: main/engine/<part>, main/<door>, preload, renderer. */
function room(path: string): string {
  const parts = path.split('/')
  if (parts[0] !== 'main') return parts[0]!
  if (parts[1] !== 'engine') return `main/${parts[1]}`
  if (parts[2] === 'daemon.ts' || parts[2]?.endsWith('.ts')) return 'main/engine/daemon.ts'
  return `main/engine/${parts[2]}`
}

const part = ['control', 'derp', 'magicsock', 'dataplane', 'dns', 'netmon', 'portmap', 'health', 'peerapi']
const E = 'main/engine/'
const every = (names: readonly string[]): string[] => names.map((name) => E + name)

/** Room → rooms it may import, beside itself. `types:` means type imports only. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  [`${E}base`]: [],
  [`${E}core`]: every(['base']),
  'main/localapi': [...every(['base']), `types:${E}core`],
  [`${E}io`]: every(['base', 'core']),
  [`${E}os`]: every(['base', 'core']),
  ...Object.fromEntries(part.map((name) => [E + name, every(['base', 'core'])])),
  [`${E}health`]: [...every(['base', 'core']), 'types:main/localapi'],
  [`${E}backend`]: [...every(['base', 'core']), 'main/localapi', ...part.map((name) => `types:${E}${name}`)],
  [`${E}features`]: [...every(['base', 'core']), 'main/localapi', `types:${E}backend`],
  [`${E}server`]: [...every(['base', 'core']), 'main/localapi', `types:${E}backend`, `types:${E}features`],
  [`${E}daemon.ts`]: [...every(['base', 'core', 'io', 'os', ...part, 'backend', 'features', 'server']), 'main/localapi'],
  'main/words': ['main/localapi'],
  'main/client': ['main/localapi'],
  // The command makes join links by itself: no engine is needed for that.
  'main/cli': ['main/localapi', `${E}core`, 'main/client', 'main/web', `${E}base`],
  'main/web': ['main/localapi', 'main/client', `${E}base`, 'types:preload'],
  'main/app': ['main/localapi', 'main/client', 'main/web', 'main/words', 'types:preload'],
  'main/index.ts': ['main/app'],
  preload: ['types:main/localapi'],
  // Of build it shows a text: the licences of what it is made of.
  renderer: ['types:preload', 'main/localapi', 'main/words', 'build'],
}

const files = ['main', 'preload', 'renderer'].flatMap(sourcesBelow)
const imports = files.flatMap(importsOf)

describe('the layer table', () => {
  it('finds the sources and their imports', () => {
    expect(files.length).toBeGreaterThan(20)
    expect(imports.length).toBeGreaterThan(files.length)
  })

  it('allows every import between rooms', () => {
    const wrong = imports.filter(({ from, to, typeOnly }) => {
      if (!/^(main|preload|renderer|test|build|native)\//.test(to)) return false
      const here = room(from)
      const there = room(to)
      if (here === there) return false
      const may = MAY[here] ?? []
      if (here === 'main/cli' && there === `${E}daemon.ts`) return !from.endsWith('verbs/daemon.ts')
      return !may.includes(there) && !(typeOnly && may.includes(`types:${there}`))
    })
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([])
  })

  it('has no import of test from the product', () => {
    expect(imports.filter(({ to }) => to.startsWith('test/'))).toEqual([])
  })

  it('keeps electron to the app, and the add-on to one file', () => {
    expect(imports.filter(({ from, to }) => to === 'electron' && !/^(main\/app\/|main\/index\.ts|preload\/index\.ts)/.test(from))).toEqual([])
    const loaders = files.filter((file) => /bowline\.\$\{|\.node['"`]/.test(readFileSync(join(root, file), 'utf8')))
    expect(loaders.filter((file) => file !== 'main/engine/io/native.ts')).toEqual([])
  })

  it('keeps Node out of the pure folders', () => {
    const pure = /^main\/(engine\/(base|core)|localapi|words)\//
    expect(imports.filter(({ from, to }) => pure.test(from) && (to.startsWith('node:') || to === 'electron'))).toEqual([])
    const words = /\b(Date\.now|new Date\(\)|Math\.random|setTimeout|setInterval|process\.env)\b/
    const impure = files.filter((file) => pure.test(file)).filter((file) => words.test(readFileSync(join(root, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')))
    expect(impure).toEqual([])
  })

  it('reads the environment in few places', () => {
    const readers = files.filter((file) => /process\.env/.test(readFileSync(join(root, file), 'utf8')))
    expect(readers.filter((file) => !/^main\/(cli|app|web)\/|daemon\.ts$|io\/tls\.ts$|main\/index\.ts/.test(file))).toEqual([])
  })

  it('has no noble import outside the crypto facade', () => {
    expect(imports.filter(({ from, to }) => to.startsWith('@noble/') && !from.endsWith('base/crypto.ts'))).toEqual([])
  })

  it('has no cycle between files', () => {
    const graph = new Map<string, string[]>()
    for (const { from, to, typeOnly } of imports) if (!typeOnly && files.includes(to)) graph.set(from, [...(graph.get(from) ?? []), to])
    const state = new Map<string, 'open' | 'done'>()
    const cycles: string[] = []
    const visit = (file: string, trail: readonly string[]): void => {
      if (state.get(file) === 'done') return
      if (state.get(file) === 'open') {
        cycles.push([...trail.slice(trail.indexOf(file)), file].join(' → '))
        return
      }
      state.set(file, 'open')
      for (const next of graph.get(file) ?? []) visit(next, [...trail, file])
      state.set(file, 'done')
    }
    for (const file of files) visit(file, [])
    expect(cycles).toEqual([])
  })
})

describe('the files', () => {
  it('are no barrels and lie in no drawer', () => {
    expect(files.filter((file) => /\/(utils|helpers|common|shared|misc)(\/|\.ts)/.test(file))).toEqual([])
    expect(files.filter((file) => file.endsWith('/index.ts') && !['main/index.ts', 'preload/index.ts'].includes(file))).toEqual([])
  })

  it('are named in kebab case, components in Pascal case', () => {
    expect(files.filter((file) => file.endsWith('.ts') && !/\/[a-z0-9]+(-[a-z0-9]+)*(\.d)?\.ts$/.test(`/${file}`))).toEqual([])
    expect(files.filter((file) => file.endsWith('.tsx') && !/\/[A-Z][A-Za-z0-9]*\.tsx$|\/main\.tsx$/.test(`/${file}`))).toEqual([])
  })

  it('stay below 600 lines', () => {
    const tables = new Set(['main/engine/core/tailcfg/types.ts'])
    const long = files.filter((file) => !tables.has(file) && readFileSync(join(root, file), 'utf8').split('\n').length > 600)
    expect(long).toEqual([])
  })

  it('open with a header that says what they are', () => {
    // Tables of messages are named by their place, and laid down in English.
    const bare = files.filter((file) => !/^main\/words\/[a-z]{2}\//.test(file) && !/^(#!.*\n)?\/\*\*\n \* \S/.test(readFileSync(join(root, file), 'utf8')))
    expect(bare).toEqual([])
  })

  it('speak of the project alone', () => {
    const outside = /\/work\/|\bhelper session|registry\.npmjs|static\.crates\.io|proxy\.golang/i
    expect(files.filter((file) => outside.test(readFileSync(join(root, file), 'utf8')))).toEqual([])
  })
})
