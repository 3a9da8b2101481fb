/**
 * Connecting and disconnecting without a look at the switch: what was undone by a key can be done again from the line that says so.
 */
import { t } from '../../main/words/words.ts'
import type { Answer, BowlineApi } from '../../preload/contract.ts'
import { say } from './toast.ts'

export const setConnected = (api: BowlineApi, on: boolean): Promise<Answer<unknown>> => api.call('editPrefs', { WantRunning: on, WantRunningSet: true })

export async function connect(api: BowlineApi, on: boolean): Promise<Answer<unknown>> {
  const answer = await setConnected(api, on)
  if (answer.ok && !on) say(t('frame.byKey'), () => void setConnected(api, true))
  return answer
}
