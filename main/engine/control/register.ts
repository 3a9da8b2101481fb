/**
 * One registration exchange: POST /machine/register.
 */
import { EngineError, isDecodeError } from '../base/errors.ts'
import { nodeKey, ZERO_NODE_KEY, type PrivateKey } from '../base/keys.ts'
import { checkRegisterResponse } from '../core/tailcfg/check-register.ts'
import { CAPABILITY_VERSION, type Hostinfo, type RegisterRequest, type RegisterResponse } from '../core/tailcfg/types.ts'
import { readAll, type ControlConnection } from './connection.ts'
import { statusFailure } from './failure.ts'

const MAX_BYTES = 1024 * 1024
/** Unix second 123, long past: how a node says that it logs out. */
export const LOGOUT_EXPIRY = '1970-01-01T00:02:03Z'

export interface Registration {
  readonly nodeKey: PrivateKey
  readonly oldNodeKey: PrivateKey | undefined
  readonly authKey: string | undefined
  readonly followup: string
  readonly ephemeral: boolean
  readonly expiry?: string
}

/** Sends the registration and reads the answer. Rejects with EngineError (ControlAnswer for HTTP statuses). */
export async function register(
  connection: ControlConnection, registration: Registration, hostinfo: Hostinfo, wallMs: number, signal: AbortSignal,
): Promise<RegisterResponse> {
  const key = nodeKey(registration.nodeKey.publicBytes())
  const oldKey = registration.oldNodeKey ? nodeKey(registration.oldNodeKey.publicBytes()) : ZERO_NODE_KEY
  const body: RegisterRequest = {
    Version: CAPABILITY_VERSION,
    NodeKey: key,
    OldNodeKey: oldKey,
    Hostinfo: hostinfo,
    ...(registration.authKey === undefined ? {} : { Auth: { AuthKey: registration.authKey } }),
    ...(registration.followup === '' ? {} : { Followup: registration.followup }),
    ...(registration.ephemeral ? { Ephemeral: true } : {}),
    ...(registration.expiry === undefined ? {} : { Expiry: registration.expiry }),
  }
  const response = await connection.post('/machine/register', body, registration.oldNodeKey ? [oldKey, key] : [key], signal)
  const text = await readAll(response, MAX_BYTES)
  if (response.status !== 200) throw statusFailure('register', response.status, text, response.headers['retry-after'], wallMs)
  const answer = checkRegisterResponse(parseJson(text))
  if (isDecodeError(answer)) {
    const why = answer.detail ?? answer.reason
    throw new EngineError('control-bad-response', `the control server's answer to the registration is not as expected (${why})`)
  }
  return answer
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
