/**
 * Holds the engine to one place that opens sockets to the outside, main/engine/io/wires.ts: one that is opened elsewhere would go into
 * the tunnel while it has the whole computer, and in a circle.
 *
 * Looked at are imports of values that can open a socket or have somebody open one, and the globals that can.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSync, Visitor } from 'oxc-parser'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const ENGINE = 'main/engine'

/** Module → what of it opens sockets or asks for names; a whole module under one name counts as all of it. */
const OPENERS: Readonly<Record<string, readonly string[]>> = {
  'node:net': ['connect', 'createConnection', 'Socket'],
  'node:dgram': ['createSocket', 'Socket'],
  'node:tls': ['connect', 'TLSSocket'],
  'node:http': ['request', 'get', 'Agent', 'globalAgent'],
  'node:https': ['request', 'get', 'Agent', 'globalAgent'],
  'node:http2': ['connect'],
  'node:dns': ['lookup', 'resolve', 'resolve4', 'resolve6', 'promises', 'Resolver'],
  'node:dns/promises': ['lookup', 'resolve', 'resolve4', 'resolve6', 'Resolver'],
}
const GLOBALS = ['fetch', 'WebSocket', 'EventSource']
/** These open sockets whatever they are asked. */
const PACKAGES = /^(undici|ws|got|axios|node-fetch|socks|dns2)(\/|$)/

/** File → what it may use, and why. */
const MAY: Readonly<Record<string, readonly [uses: readonly string[], why: string]>> = {
  'io/wires.ts': [['node:net connect', 'node:net Socket', 'node:dgram createSocket'], 'it is the place'],
  'io/tls.ts': [['node:tls *'], 'on a socket that is there'],
  'io/roots.ts': [['node:tls *'], 'roots alone'],
  'io/server-trust.ts': [['node:tls *'], 'names in certificates alone'],
  'io/http2.ts': [['node:http2 *'], 'on a stream that is there'],
  'io/http-fetch.ts': [['node:http request'], 'on a socket that is there'],
  'control/ts2021.ts': [['node:http request', 'node:tls TLSSocket'], 'on a socket that is there'],
  'dns/https.ts': [['node:http Agent', 'node:http request', 'node:http2 connect'], 'on a stream that is there'],
  'features/taildrop/send/link.ts': [['node:http Agent'], 'on streams of the tunnel'],
  'features/taildrop/send/conversation.ts': [['node:http request'], 'by an agent on streams of the tunnel'],
  'io/resolve.ts': [['node:dns/promises lookup'], "the system's own way, while names are the system's"],
  'io/dns-carrier.ts': [['node:dns Resolver'], "tells the system's resolvers and asks nothing"],
  'io/system-ipv6.ts': [['node:dgram createSocket'], 'bound to loopback, sends nothing'],
  'io/engine-call.ts': [['node:net connect', 'node:http request'], "another engine's local socket"],
  'server/socket-path.ts': [['node:net connect'], "a local socket of this computer's"],
  'dataplane/dataplane.ts': [['node:net Socket'], 'descriptors that the packet thread gives'],
  'daemon.ts': [['node:net Socket'], 'the pipe to whoever started the engine'],
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? sources(`${folder}/${entry.name}`) : entry.name.endsWith('.ts') ? [`${folder}/${entry.name}`] : [])
}

/** What a source text uses of all that. */
function usesOf(path: string, text: string): string[] {
  const { module, program } = parseSync(path, text)
  const found = new Set<string>()
  const imported = new Set<string>()
  for (const { moduleRequest: { value: from }, entries } of module.staticImports) {
    for (const entry of entries) imported.add(entry.localName.value)
    const openers = OPENERS[from] ?? OPENERS[`node:${from}`]
    if (PACKAGES.test(from) && !entries.every((entry) => entry.isType)) found.add(`${from} *`)
    for (const { importName, isType } of openers ? entries : []) {
      if (isType) continue
      if (importName.kind !== 'Name') found.add(`${from} *`)
      else if (openers!.includes(importName.name!)) found.add(`${from} ${importName.name}`)
    }
  }
  for (const { moduleRequest } of module.dynamicImports) {
    const from = text.slice(moduleRequest.start, moduleRequest.end).replaceAll(/['"`]/g, '')
    if (OPENERS[from] || OPENERS[`node:${from}`] || PACKAGES.test(from)) found.add(`${from} *`)
  }
  const isGlobal = (name: string): boolean => GLOBALS.includes(name) && !imported.has(name)
  new Visitor({
    CallExpression: ({ callee }) => void (callee.type === 'Identifier' && isGlobal(callee.name) && !declares(text, callee.name) && found.add(`global ${callee.name}`)),
    NewExpression: ({ callee }) => void (callee.type === 'Identifier' && isGlobal(callee.name) && found.add(`global ${callee.name}`)),
    MemberExpression: ({ object, property }) => void (object.type === 'Identifier' && object.name === 'globalThis' && property.type === 'Identifier' && isGlobal(property.name) && found.add(`global ${property.name}`)),
  }).visit(program)
  return [...found].toSorted()
}

/** Whether a file has something else of that name: a parameter or a constant. */
function declares(text: string, name: string): boolean {
  return new RegExp(`(const|let|function) ${name}\\b|[(,] ?${name}: `).test(text)
}

test('sockets to the outside are opened in one place', () => {
  const files = sources(ENGINE)
  const found = Object.fromEntries(files.flatMap((file) => {
    const uses = usesOf(file, readFileSync(join(root, file), 'utf8'))
    return uses.length === 0 ? [] : [[file.slice(ENGINE.length + 1), uses]]
  }))
  expect(files.length).toBeGreaterThan(100)
  expect(found).toEqual(Object.fromEntries(Object.entries(MAY).map(([file, [uses]]) => [file, uses.toSorted()])))
})

test.each([
  ["import { connect } from 'node:net'", ['node:net connect']],
  ["import net from 'node:net'", ['node:net *']],
  ["import * as dgram from 'node:dgram'", ['node:dgram *']],
  ["import { type Socket, isIP } from 'node:net'", []],
  ["import { request } from 'https'", ['https request']],
  ["const dns = await import('node:dns/promises')", ['node:dns/promises *']],
  ["import { fetch } from 'undici'", ['undici *']],
  ['await fetch(url)', ['global fetch']],
  ['globalThis.fetch(url); new WebSocket(url)', ['global WebSocket', 'global fetch']],
  ['const fetch = (url: string) => url; fetch(1)', []],
])('%s is seen', (text, uses) => {
  expect(usesOf('x.ts', text)).toEqual(uses)
})
