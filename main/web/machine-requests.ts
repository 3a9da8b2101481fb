/**
 * The window's requests about the whole computer: the mode, what a change would take away, and the change on trial.
 */
import { METHODS } from '../localapi/methods.ts'
import type { RequestName } from '../../preload/contract.ts'
import { oneOf, shortName } from './checks.ts'
import type { Handler } from './requests.ts'
import { tryFirst } from './try-first.ts'

export const MACHINE_HANDLERS: Readonly<Record<Extract<RequestName, 'setMode' | 'answerTrial'>, Handler>> = {
  setMode: async (client, host, send) => {
    const Mode = oneOf(send['mode'], 'mode', ['apps', 'whole'])
    await tryFirst(client, { Mode }, () => client.json({ method: 'POST', path: METHODS.machineAction.path, body: { Mode } }), { wantsTrial: host.wantsTrial })
    return client.json({ method: 'GET', path: METHODS.machine.path })
  },
  answerTrial: (client, _host, send) =>
    client.json({ method: 'POST', path: METHODS.answerTrial.path, body: { ID: shortName(send['id'], 'id'), Answer: oneOf(send['answer'], 'answer', ['keep', 'undo']) } }),
}
