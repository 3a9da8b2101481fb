/**
 * bowline debug: what the engine knows, as it knows it.
 */
import { readFileSync } from 'node:fs'
import { API_PREFIX } from '../../localapi/methods.ts'
import { WATCH } from '../../localapi/watch-mask.ts'
import { EXIT, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import type { FlagSpec } from '../flags.ts'
import { table } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson, printJsonLine } from '../verb.ts'
import { noWords } from '../words-given.ts'
import { debugPath } from './debug-path.ts'

/** A page that is JSON in any case. */
function page(name: string, summary: string, ask: (context: Context) => Promise<unknown>, flags: FlagSpec = {}): Verb {
  return {
    name, summary, usage: '', help: '', flags,
    async run(context: Context) {
      noWords(`debug ${name}`, context.args)
      printJson(context.terminal, await ask(context))
      return EXIT.ok
    },
  }
}

/** Something that the engine is told to do. */
function action(name: string, summary: string): Verb {
  return {
    name, summary, usage: '', help: '', json: '{"done"}', flags: {},
    async run({ api, args, json, terminal }: Context) {
      noWords(`debug ${name}`, args)
      await api.call('debug', { query: { action: name } })
      if (json) printJson(terminal, { done: name })
      return EXIT.ok
    },
  }
}

/** Flags of the official command, each a bit of the mask. */
const BITS: Readonly<Record<string, keyof typeof WATCH>> = {
  'engine-updates': 'engineUpdates',
  'initial-netmap': 'initialNetMap',
  'initial-health': 'initialHealth',
  'initial-status': 'initialStatus',
  'initial-suggested-exit-node': 'initialSuggestedExitNode',
  'initial-client-version': 'initialClientVersion',
  'health-actions': 'healthActions',
  'peer-changes': 'peerChanges',
  'peer-patches': 'peerPatches',
  'peer-wireguard-state': 'peerWireGuardState',
}

const watchIpn: Verb = {
  name: 'watch-ipn',
  summary: 'what changes, one JSON object a line, until Ctrl-C',
  usage: '[--initial] [--count N] [flags]',
  help: '',
  flags: {
    initial: { kind: 'bool', help: 'begin with state and settings', initial: 'true' },
    count: { kind: 'number', help: 'stop after so many; 0 = go on', initial: '0' },
    mask: { kind: 'number', help: 'the whole mask as a sum of bits, instead of the other flags', value: 'BITS' },
    ...Object.fromEntries(Object.keys(BITS).map((name) => [name, { kind: 'bool', help: name.startsWith('initial-') ? `begin with ${name.slice(8)}` : `tell ${name}`, initial: 'false' } as const])),
  },
  async run({ api, args, terminal }: Context) {
    noWords('debug watch-ipn', args)
    const bits = Object.entries(BITS).reduce((sum, [name, bit]) => sum | (args.bool(name) ? WATCH[bit] : 0), args.bool('initial') ? WATCH.initialState | WATCH.initialPrefs : 0)
    let seen = 0
    const how = await api.watch(args.has('mask') ? args.number('mask') : bits, (notify) => {
      printJsonLine(terminal, notify)
      return ++seen === args.number('count')
    }, terminal.interrupted)
    return how === 'closed' ? EXIT.noEngine : EXIT.ok
  },
}

const HTTP = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

const localapi: Verb = {
  name: 'localapi',
  summary: 'call an endpoint of the local API',
  usage: '[METHOD] PATH [BODY|-]',
  help: `PATH is below ${API_PREFIX}. METHOD is GET, or POST when there is a body; - reads the body from standard input.`,
  examples: [['bowline debug localapi status?peers=false', ''], ['bowline debug localapi PATCH prefs \'{"ShieldsUp":true,"ShieldsUpSet":true}\'', '']],
  flags: {},
  async run({ api, args, terminal }: Context) {
    const words = [...args.words]
    const method = HTTP.includes(words[0]?.toUpperCase() ?? '') ? words.shift()!.toUpperCase() : undefined
    const [path, body, more] = words
    if (path === undefined || more !== undefined) throw usageError('debug localapi wants a path: bowline debug localapi [METHOD] PATH [BODY|-]')
    const text = body === '-' ? readFileSync(0, 'utf8') : body
    const answer = await api.request({ method: method ?? (text === undefined ? 'GET' : 'POST'), path: path.replace(/^\/?(localapi\/v0\/)?/, ''), body: text === undefined ? undefined : parsed(text) })
    if (typeof answer === 'string') terminal.out(answer.endsWith('\n') ? answer : `${answer}\n`)
    else if (answer !== undefined) printJson(terminal, answer)
    return EXIT.ok
  },
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw usageError('The body is no JSON.')
  }
}

const journal: Verb = {
  name: 'journal',
  summary: 'what happened lately, and why',
  usage: '[--n N]',
  help: '',
  json: '{"events": [{"seq", "at", "part", "kind", "why", …}]}, oldest first',
  flags: { n: { kind: 'number', help: 'how many events', initial: '100' } },
  async run({ api, args, json, terminal }: Context) {
    noWords('debug journal', args)
    const { events } = await api.call('journal', { query: { n: args.number('n') } })
    if (json) printJson(terminal, { events })
    else for (const { at, part, kind, why, seq: _seq, ...fields } of events) {
      const rest = Object.entries(fields).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
      terminal.out(`${table([[`${at} ${part}/${kind}${why !== undefined ? ` ${why}` : ''}${rest.length > 0 ? `  ${rest.join(' ')}` : ''}`]])}\n`)
    }
    return EXIT.ok
  },
}

const paths: Verb = {
  name: 'paths',
  summary: 'which way packets go to each device, and why',
  usage: '',
  help: '',
  json: '{"paths": [{"peer", "name", "ip", "kind", "addr", "region", "regionCode", "via", "latencyMs", "since", "active", "why"}]}',
  flags: {},
  async run({ api, args, json, terminal }: Context): Promise<ExitCode> {
    noWords('debug paths', args)
    const found = await api.call('paths')
    if (json) printJson(terminal, found)
    else terminal.out(found.paths.length === 0 ? 'No device has a path.\n' : `${table(found.paths.map((path) => [path.name, path.ip, path.kind, path.addr ?? path.regionCode ?? '', path.why]))}\n`)
    return EXIT.ok
  },
}

const metrics: Verb = {
  name: 'metrics',
  summary: "the engine's own counters",
  usage: '',
  help: '',
  flags: {},
  async run({ api, json, terminal }: Context) {
    const text = await api.call('metrics')
    if (json) printJson(terminal, { metrics: text })
    else terminal.out(text)
    return EXIT.ok
  },
}

export const debug: Verb = {
  name: 'debug',
  group: 'Find out why',
  summary: 'look inside the engine',
  usage: 'COMMAND',
  help: 'For engineers. What they print is JSON as the engine has it, and may change.',
  subs: [
    page('prefs', 'the settings', ({ api }) => api.call('prefs'), { pretty: { kind: 'bool', help: '', hidden: true } }),
    page('session', 'signing in, step by step, with its problem', ({ api }) => api.call('session')),
    page('netmap', 'devices and rules, as the server sent them', ({ api }) => api.call('netMap')),
    page('derp-map', 'the relays, as the server sent them', ({ api }) => api.call('derpMap')),
    watchIpn, journal, debugPath, paths, metrics, localapi,
    action('rebind', 'open the sockets and look at the network anew'),
    action('restun', 'find the addresses seen outside anew'),
  ],
  flags: {},
}
