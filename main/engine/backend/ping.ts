/**
 * `ping` of the LocalAPI: finds the peer behind an address and asks the part that speaks that kind of ping.
 *
 *   disco    magicsock: which way  packets go      TSMP  through the tunnel, answered by the peer's engine
 *   ICMP     through the tunnel, answered by its network stack, its filter permitting
 *   peerapi  through the tunnel, answered by its PeerAPI
 *
 * NodeIP is the device's first address for a disco ping, else the address that was pinged, as a stock daemon answers.
 */
import type { Clock } from '../base/env.ts'
import { EngineError, errorText } from '../base/errors.ts'
import { formatAddrPort, parsePrefix, prefixContains } from '../base/ip.ts'
import { formatUdpAddr } from '../core/path/types.ts'
import type { NodePublicKey } from '../base/keys.ts'
import { nodeByIp, nodeByKey } from '../core/netmap/find-node.ts'
import type { Node } from '../core/tailcfg/types.ts'
import { addressesOf, magicDnsSuffix, shortName } from '../core/plan/names.ts'
import { peerApiUrls } from '../core/plan/peer-api-port.ts'
import type { PingResult, PingType } from '../../localapi/types.ts'
import type { Model } from './model.ts'
import type { DataplanePort, MagicsockPort } from './ports.ts'
import { pingPeerApi } from './peer-api-ping.ts'
import { regionCode } from './status.ts'

/** The official command gives up after 5 s itself. */
const PING_TIMEOUT_MS = 10_000

export async function ping(
  deps: { clock: Clock; model: Model; dataplane: DataplanePort; magicsock: MagicsockPort },
  ip: string,
  type: PingType,
  sizeBytes: number,
  timeoutMs = PING_TIMEOUT_MS,
): Promise<PingResult> {
  const { model } = deps
  const empty: PingResult = { IP: ip, NodeIP: '', NodeName: '', Err: '', LatencySeconds: 0, Endpoint: '', PeerRelay: '', DERPRegionID: 0, DERPRegionCode: '' }
  const netMap = model.netMap
  if (!netMap) return { ...empty, Err: 'not connected: there is no list of devices yet', ErrCode: 'not-connected' }
  if (addressesOf(netMap.self).includes(ip)) return { ...empty, Err: `${ip} is local Tailscale IP`, IsLocalIP: true }
  const node = pingedNode(model, ip)
  if (!node) return { ...empty, Err: 'no matching peer', ErrCode: 'no-such-peer' }
  const suffix = magicDnsSuffix(netMap.self)
  const found: PingResult = { ...empty, NodeIP: addressesOf(node)[0] ?? '', NodeName: shortName(node, suffix) }
  if (!model.plan.magicsock.peers.some((peer) => peer.key === node.Key)) {
    const isRunning = model.life.name === 'Running'
    return { ...found, Err: isRunning ? 'that device cannot be reached: its key has ended, or it has never connected' : 'not connected', ErrCode: isRunning ? 'no-such-peer' : 'not-connected' }
  }
  try {
    switch (type) {
      case 'disco': {
        const pong = await deps.magicsock.ping(node.Key as NodePublicKey, sizeBytes, timeoutMs)
        const way =
          pong.via.kind === 'direct'
            ? { Endpoint: formatAddrPort(pong.via.addr) }
            : pong.via.kind === 'peer-relay'
            ? { PeerRelay: formatUdpAddr({ ...pong.via.addr, vni: pong.via.vni }) }
            : { DERPRegionID: pong.via.region, DERPRegionCode: regionCode(netMap.derpMap, pong.via.region) }
        return { ...found, LatencySeconds: pong.latencyMs / 1000, ...way }
      }
      case 'TSMP':
      case 'ICMP': {
        const pong = await deps.dataplane.ping(type === 'TSMP' ? 'tsmp' : 'icmp', ip, sizeBytes, timeoutMs)
        const port = type === 'TSMP' && pong.peerApiPort !== undefined && pong.peerApiPort !== 0 ? { PeerAPIPort: pong.peerApiPort } : {}
        return { ...found, NodeIP: ip, LatencySeconds: pong.latencyMs / 1000, ...port }
      }
      case 'peerapi': {
        const url = peerApiUrls(node, netMap.self)?.[0]
        if (url === undefined) return { ...found, Err: 'that device serves no PeerAPI', ErrCode: 'not-supported' }
        return { ...found, NodeIP: ip, NodeName: node.Name, LatencySeconds: (await pingPeerApi(deps, url, timeoutMs)) / 1000, PeerAPIURL: url }
      }
    }
  } catch (error) {
    return { ...found, Err: errorText(error), ErrCode: error instanceof EngineError ? error.code : 'io' }
  }
}

/** The device that answers for an address: its own, or one that it routes. */
export function pingedNode(model: Model, ip: string): Node | undefined {
  return model.netMap && (nodeByIp(model.netMap, ip) ?? nodeByRoute(model, ip))
}

function nodeByRoute(model: Model, ip: string): Node | undefined {
  let best: { key: string; bits: number } | undefined
  for (const peer of model.plan.dataplane.peers) {
    for (const route of peer.routes) {
      const prefix = parsePrefix(route)!
      if (prefixContains(prefix, ip) && (!best || prefix.bits > best.bits)) best = { key: peer.key, bits: prefix.bits }
    }
  }
  return best && model.netMap ? nodeByKey(model.netMap, best.key) : undefined
}
