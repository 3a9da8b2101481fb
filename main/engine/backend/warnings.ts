/**
 * What is wrong, said to people, as a pure function of what the backend knows. Form: what happened, so what it means;
 * then what still works.
 */
import type { Model } from './model.ts'
import { carries } from './state.ts'
import type { WarningBody } from './ports.ts'

/** A saved map in use is mentioned only when the server lets wait this long. */
export const SAVED_MAP_GRACE_MS = 3_000

export function warningsOf(model: Model, nowMs: number): Record<string, WarningBody> {
  const out: Record<string, WarningBody> = {}
  if (model.dataplaneFailure !== undefined) out['packet-thread'] = warn('high', 'Engine stopped', `The part that moves packets has stopped: ${model.dataplaneFailure}. Start the engine again.`, true)
  if (model.saveFailure !== undefined) out['state-not-saved'] = warn('high', 'Settings are not saved', `${model.saveFailure} What is set now holds until the engine ends.`)
  for (const [i, text] of model.storeProblems.entries()) out[`state-damaged-${i}`] = warn('medium', 'A damaged file was kept aside', text)
  if (model.life.name === 'Stopped') out['wantrunning-false'] = warn('low', 'Disconnected', 'Bowline is disconnected. This device keeps its place on the network.')
  if (model.life.keyExpired) out['key-expired'] = warn('high', 'Sign-in has ended', 'Your sign-in has ended. Nothing gets through until you sign in again.', true)
  aboutControl(model, nowMs, out)
  if (model.netMap) {
    for (const [i, text] of model.netMap.health.entries()) out[`control-health-${i}`] = warn('medium', 'Message from the server', text)
    for (const [id, message] of model.netMap.displayMessages) {
      const severity = message.Severity === 'high' || message.Severity === 'low' ? message.Severity : 'medium'
      out[`control-health.${id}`] = {
        ...warn(severity, message.Title ?? 'Message from the server', message.Text ?? '', message.ImpactsConnectivity === true),
        ...(message.PrimaryAction ? { PrimaryAction: message.PrimaryAction } : {}),
      }
    }
  }
  return out
}

function aboutControl(model: Model, nowMs: number, out: Record<string, WarningBody>): void {
  const { control, life, loss } = model
  const goesOn = carries(life) ? ' Existing connections continue.' : ''
  if (loss) {
    const text = `The server cannot be reached: ${loss.message}. It is tried again by itself.${goesOn}`
    out['not-in-map-poll'] = { ...warn('medium', 'Server not reachable', text), Args: { code: loss.code, error: loss.message } }
  }
  if (control.kind === 'failed') out['login-state'] = { ...warn('high', 'Sign-in failed', control.message, true), Args: { code: control.code, error: control.message } }
  if (control.kind === 'needs-login' && !life.loggedOut && life.wantRunning) out['login-state'] = warn('medium', 'Signed out', `You are signed out: ${control.why}`, true)
  const since = model.savedMapSinceMs
  if (life.map === 'saved' && model.mapSavedAtMs !== undefined && carries(life) && since !== undefined && (loss !== undefined || nowMs - since >= SAVED_MAP_GRACE_MS)) {
    const at = new Date(model.mapSavedAtMs).toISOString()
    out['saved-map'] = warn('low', 'Working from the saved list', `The list of devices is the one saved at ${at}; the server has not been reached since the engine started.`)
  }
}

function warn(Severity: WarningBody['Severity'], Title: string, Text: string, impacts = false): WarningBody {
  return { Severity, Title, Text, ...(impacts ? { ImpactsConnectivity: true } : {}) }
}
