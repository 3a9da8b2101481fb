/**
 * bowline wait: until this device is connected; for scripts.
 */
import { STATE_NUMBER } from '../../localapi/types.ts'
import { WATCH } from '../../localapi/watch-mask.ts'
import { CliError, EXIT } from '../exit.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'

export const wait: Verb = {
  name: 'wait',
  group: 'Connect',
  summary: 'wait until connected, for scripts',
  usage: '[--timeout TIME]',
  help: 'Connects nothing by itself.',
  examples: [['bowline wait --timeout 1m && backup', 'only when the network is there']],
  json: '{"BackendState"}',
  flags: { timeout: { kind: 'duration', help: 'give up after this long; 0 = wait', initial: '0s' } },
  async run({ api, args, json, terminal }: Context) {
    noWords('wait', args)
    const timeoutMs = args.durationMs('timeout')
    const limit = AbortSignal.any([terminal.interrupted, ...(timeoutMs > 0 ? [AbortSignal.timeout(timeoutMs)] : [])])
    const how = await api.watch(WATCH.initialState, (notify) => notify.State === STATE_NUMBER.Running, limit)
    if (how === 'closed') throw new CliError(EXIT.noEngine, 'no-engine', 'The engine ended meanwhile.')
    if (how === 'aborted') throw terminal.interrupted.aborted ? new CliError(EXIT.interrupted, 'interrupted', 'Stopped waiting.') : new CliError(EXIT.timeout, 'timeout', `Not connected within ${args.text('timeout')}. See: bowline status`)
    if (json) printJson(terminal, { BackendState: 'Running' })
    return EXIT.ok
  },
}
