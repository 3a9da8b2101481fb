/**
 * bowline metrics: counters in Prometheus' text format, and bowline bugreport: a mark in the logs.
 */
import { renameSync, writeFileSync } from 'node:fs'
import { CliError, EXIT, usageError } from '../exit.ts'
import { lackingAs } from '../lacking.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'

/** Lines of Prometheus' text format by their names and labels. */
function asObject(text: string): Record<string, number> {
  const rows = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(rows.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]))
}

const printMetrics: Verb = {
  name: 'print',
  summary: 'print them',
  usage: '',
  help: '',
  json: '{NAME{LABELS}: number}',
  flags: {},
  async run(context: Context) {
    noWords('metrics print', context.args)
    const text = await context.api.call('userMetrics')
    if (context.json) printJson(context.terminal, asObject(text))
    else context.terminal.out(text)
    return EXIT.ok
  },
}

const write: Verb = {
  name: 'write',
  summary: 'write them into a file, whole or not at all',
  usage: 'FILE',
  help: "For the textfile collector of Prometheus' node exporter.",
  json: '{"path"}',
  takes: 'file',
  flags: {},
  async run({ api, args, json, terminal }: Context) {
    const path = args.words[0]
    if (path === undefined || args.words.length > 1) throw usageError('metrics write wants one file: bowline metrics write /var/lib/prometheus/node-exporter/bowline.prom')
    const text = await api.call('userMetrics')
    try {
      writeFileSync(`${path}.new`, text)
      renameSync(`${path}.new`, path)
    } catch (error) {
      throw new CliError(EXIT.failed, 'cannot-write', `The metrics cannot be written to ${path}: ${(error as Error).message}`)
    }
    if (json) printJson(terminal, { path })
    return EXIT.ok
  },
}

export const metrics: Verb = {
  name: 'metrics',
  group: 'Find out why',
  summary: 'show counters, for Prometheus too',
  usage: '[print | write FILE]',
  help: '',
  json: printMetrics.json!,
  subs: [printMetrics, write],
  flags: {},
  run: async (context) => await printMetrics.run!(context),
}

export const bugreport: Verb = {
  name: 'bugreport',
  group: 'Find out why',
  summary: 'put a mark into the logs, to find a moment again',
  usage: '[NOTE]',
  help: 'Prints the mark. Nothing is sent anywhere: the mark stands in the engine\'s log and journal on this computer.',
  json: '{"marker"}',
  flags: {
    diagnose: { kind: 'bool', help: 'write more about the state into the log' },
    record: { kind: 'bool', help: '', hidden: true },
  },
  async run({ api, args, json, terminal }: Context) {
    const query = new URLSearchParams({ note: args.words.join(' '), ...(args.bool('diagnose') ? { diagnose: 'true' } : {}) }).toString()
    const answer = await lackingAs('This engine writes no marks.', () => api.request({ method: 'POST', path: `bugreport?${query}` }))
    const marker = String(answer).trim()
    if (json) printJson(terminal, { marker })
    else terminal.out(`${marker}\n`)
    return EXIT.ok
  },
}
