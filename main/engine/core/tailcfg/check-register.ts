/**
 * Checks of the registration answer and of the server key answer.
 */
import { decodeError, type DecodeError } from '../../base/errors.ts'
import { isZeroKey, parseMachineKey, type MachinePublicKey } from '../../base/keys.ts'
import { bool, Drops, id, isObject, shape, text } from './check.ts'
import { time } from './check-node.ts'
import type { RegisterResponse } from './types.ts'

const NAME = 1024

const registerResponse = shape<RegisterResponse>('RegisterResponse', {
  User: shape<RegisterResponse['User']>('User', {
    ID: id, DisplayName: text(NAME), ProfilePicURL: text(8192), Created: time,
  }, { required: ['ID'] }),
  Login: shape<RegisterResponse['Login']>('Login', {
    ID: id, Provider: text(NAME), LoginName: text(NAME), DisplayName: text(NAME), ProfilePicURL: text(8192),
  }, { required: ['ID'] }),
  NodeKeyExpired: bool, MachineAuthorized: bool, AuthURL: text(8192), Error: text(16_384),
}, {
  defaults: { User: { ID: 0 }, Login: { ID: 0 }, NodeKeyExpired: false, MachineAuthorized: false, AuthURL: '' },
  orElse: { NodeKeyExpired: true },
})

/** The answer, frozen; refused when it is no object, or when its error or its link cannot be read. */
export function checkRegisterResponse(value: unknown, drops: Drops = new Drops()): RegisterResponse | DecodeError {
  if (!isObject(value)) return decodeError('bad-type', 'register response')
  const response = registerResponse(value, drops)
  if (!response) return decodeError('bad-type', 'register response')
  for (const field of ['Error', 'AuthURL'] as const) {
    const raw = value[field]
    if (raw !== undefined && raw !== null && response[field] !== raw) return decodeError('bad-value', field)
  }
  return response
}

/** The server's Noise key out of the /key answer; a zero or absent key is refused: such a server is too old. */
export function checkServerKey(value: unknown): MachinePublicKey | DecodeError {
  if (!isObject(value)) return decodeError('bad-type', 'server key')
  const key = parseMachineKey(value['publicKey'])
  return key === undefined || isZeroKey(key) ? decodeError('bad-value', 'publicKey') : key
}
