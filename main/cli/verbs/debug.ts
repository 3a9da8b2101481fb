/**
 * bowline debug: what the engine knows, as it knows it.
 */
import { EXIT, usageError } from '../exit.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { printable, table } from '../words.ts'

const WHAT = ['prefs', 'netmap', 'watch-ipn', 'journal', 'paths', 'metrics', 'rebind', 'restun']

export const debug: Verb = {
  name: 'debug',
  summary: 'look inside the engine',
  usage: `${WHAT.join('|')} [flags]`,
  help:
    'prefs      settings, as JSON\nnetmap     the list of devices and rules, as the server sent it\nwatch-ipn  what changes, one JSON object a line, until stopped\n' +
    'journal    what happened lately\npaths      which way packets go to each device, and why\nmetrics    counters\nrebind     look at the network anew\nrestun     the same',
  flags: {
    n: { kind: 'number', help: 'journal: how many events', initial: '100' },
    mask: { kind: 'number', help: 'watch-ipn: what to watch, as a sum of bits', initial: '2' },
    count: { kind: 'number', help: 'watch-ipn: stop after so many', initial: '0' },
  },
  async run(context: Context) {
    const { api, args, json, terminal } = context
    const what = args.words[0] ?? ''
    switch (what) {
      case 'prefs':
        printJson(terminal, await api.call('prefs'))
        return EXIT.ok
      case 'netmap':
        printJson(terminal, await api.call('netMap'))
        return EXIT.ok
      case 'metrics':
        terminal.out(await api.call('metrics'))
        return EXIT.ok
      case 'journal':
        await journal(context)
        return EXIT.ok
      case 'paths': {
        const page = await api.call('paths')
        if (json) printJson(terminal, page)
        else terminal.out(`${table(page.paths.map((path) => [path.name, path.ip, path.kind, path.addr ?? path.regionCode ?? '', path.why]))}\n`)
        return EXIT.ok
      }
      case 'rebind':
      case 'restun':
        await api.call('debug', { query: { action: what } })
        return EXIT.ok
      case 'watch-ipn': {
        let seen = 0
        const how = await api.watch(args.number('mask'), (notify) => {
          terminal.out(`${JSON.stringify(notify)}\n`)
          return ++seen === args.number('count')
        }, terminal.interrupted)
        return how === 'closed' ? EXIT.noEngine : EXIT.ok
      }
      default:
        throw usageError(`debug wants one of: ${WHAT.join(', ')}.`)
    }
  },
}

async function journal({ api, args, json, terminal }: Context): Promise<void> {
  const page = await api.call('journal', { query: { n: args.number('n') } })
  if (json) return printJson(terminal, page)
  for (const { at, part, kind, why, seq: _seq, ...fields } of page.events) {
    const rest = Object.entries(fields).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    terminal.out(`${printable(`${at} ${part}/${kind}${why !== undefined ? ` ${why}` : ''}${rest.length > 0 ? `  ${rest.join(' ')}` : ''}`)}\n`)
  }
}
