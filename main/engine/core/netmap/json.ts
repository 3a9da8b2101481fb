/**
 * The saved form of a network map: one MapResponse that says all of it, so that reading it back goes through the same
 * checks as what control sends. A file may be old, truncated or of another hand.
 */
import { decodeError, isDecodeError, type DecodeError } from '../../base/errors.ts'
import { isObject } from '../tailcfg/check.ts'
import { checkMapResponse } from '../tailcfg/check-map.ts'
import type { FilterRule, MapResponse } from '../tailcfg/types.ts'
import { applyMapResponse } from './apply.ts'
import type { NetMap } from './types.ts'

const VERSION = 1

/** Plain JSON of the whole map. The clock skew is not kept: it belongs to the moment. */
export function toJson(netMap: NetMap): unknown {
  const filters: Record<string, readonly FilterRule[]> = {}
  for (const [name, rules] of netMap.packetFilters) filters[name] = rules
  const message: MapResponse = {
    Node: netMap.self,
    Peers: [...netMap.peers.values()],
    UserProfiles: [...netMap.userProfiles.values()],
    Domain: netMap.domain,
    ...(netMap.auditLogId === '' ? {} : { DomainDataPlaneAuditLogID: netMap.auditLogId }),
    DERPMap: netMap.derpMap,
    DNSConfig: netMap.dns,
    PacketFilters: filters,
    Health: netMap.health,
    DisplayMessages: Object.fromEntries(netMap.displayMessages),
    CollectServices: netMap.collectServices,
    ...(netMap.sshPolicy ? { SSHPolicy: netMap.sshPolicy } : {}),
    ...(netMap.clientVersion ? { ClientVersion: netMap.clientVersion } : {}),
  }
  return { version: VERSION, map: message }
}

/** The map of saved JSON, or why it cannot be used. */
export function fromJson(value: unknown): NetMap | DecodeError {
  if (!isObject(value)) return decodeError('bad-type', 'saved map')
  if (value['version'] !== VERSION) return decodeError('bad-version', 'saved map')
  const message = checkMapResponse(value['map'])
  if (isDecodeError(message)) return message
  const delta = applyMapResponse(undefined, message, 0)
  return isDecodeError(delta) ? delta : delta.netMap
}
