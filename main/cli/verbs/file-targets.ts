/**
 * bowline file targets: every device, whether files can be sent to it, and if not, why and what an administrator could add.
 */
import type { FileTarget, TransferTarget } from '../../localapi/transfers.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import { lackingAs } from '../lacking.ts'
import { printable, styled, table } from '../text.ts'
import { whyWords } from '../transfers/words.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { age } from '../words.ts'
import { findDevice } from './find-device.ts'

export const targets: Verb = {
  name: 'targets',
  summary: 'show the devices that files can be sent to, and why not to the others',
  usage: '[DEVICE]',
  help: 'With a device: that one alone, and what an administrator would add to the policy of the network where that helps. A device that is offline can be sent to: it gets the files when it comes online.',
  json: '{"Targets": [{"ID", "Name", "DNSName", "OS", "Owner", "Own", "Online", "Usable", "Why": {"Code", "Text"}, "Grant", "Target", "Used"}], "Why"}',
  takes: 'device',
  flags: {},
  async run({ api, args, json, terminal }: Context) {
    const [word, more] = args.words
    if (more !== undefined) throw usageError('file targets wants one device, or none.')
    const page = await lackingAs('The daemon at this socket does not say why a device cannot be sent to. Those that can: bowline file cp --targets', () => api.call('transferTargets'))
    const device = word === undefined ? undefined : findDevice(await api.call('status'), word)
    const rows = word === undefined ? page.Targets : page.Targets.filter(({ ID }) => ID === device?.ID)
    if (json) printJson(terminal, { ...page, Targets: rows })
    else if (word !== undefined) {
      const [row] = rows
      if (!row) throw new CliError(EXIT.failed, 'no-such-device', `${printable(word)} is no other device of this network.`)
      terminal.out(`${printable(row.Name)}: ${verdict(row)}\n${row.Grant === undefined ? '' : `\n${row.Grant}`}`)
    } else {
      if (page.Why) terminal.err(`Nothing can be sent: ${whyWords(page.Why)}.\n`)
      else if (rows.length === 0) terminal.out('There is no other device in this network.\n')
      if (rows.length > 0) terminal.out(`${table(rows.map((row) => [row.Name, row.Owner, row.OS, verdict(row)]))}\n`)
      const helped = rows.find(({ Grant }) => Grant !== undefined)
      if (helped) terminal.out(`\nWhat an administrator could add: bowline file targets ${printable(helped.Name)}\n`)
    }
    return EXIT.ok
  },
}

function verdict(row: TransferTarget): string {
  if (!row.Usable) return styled('faint', `no: ${whyWords(row.Why)}`)
  return row.Online ? 'yes' : 'yes, when it comes online'
}

/** The list of the official command's `file cp --targets`: address, name, and whether it is away. */
export async function stockTargetLines({ api, args, json, terminal }: Context): Promise<ExitCode> {
  if (args.words.length > 0) throw usageError('--targets takes no files: bowline file cp --targets')
  const list = ((await lackingAs('This engine sends no files.', () => api.call('fileTargets'))) ?? []) as readonly FileTarget[]
  if (json) printJson(terminal, list)
  else for (const { Node } of list) {
    const { Addresses, ComputedName, Online, LastSeen } = Node
    const state = Online === false ? 'offline' : Online === true ? '' : 'unknown-status'
    const seen = state !== '' && LastSeen ? `; last seen ${age(Date.now() - Date.parse(LastSeen))} ago` : ''
    terminal.out(`${[(Addresses?.[0] ?? '').replace(/\/.*$/, ''), printable(ComputedName ?? ''), ...(state === '' ? [] : [`${state}${seen}`])].join('\t')}\n`)
  }
  return EXIT.ok
}
