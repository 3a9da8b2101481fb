/**
 * What reaches a device and what does not: a port of it, networks behind it, forwards to it, what was refused lately. Of this device: what it offers.
 */
import type { ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import type { Device } from '../state/devices.ts'
import { blockedWith, forwardsTo, isNetwork, routesBehind } from '../state/networks.ts'
import { useSnapshot } from '../state/store.ts'
import { DeviceBlocked } from './DeviceBlocked.tsx'
import { DeviceNetworks } from './DeviceNetworks.tsx'
import { DeviceReach } from './DeviceReach.tsx'
import { ForwardList } from './ForwardList.tsx'
import { OwnNames } from './OwnNames.tsx'
import { OwnNetworks } from './OwnNetworks.tsx'

export function DeviceAccess({ device }: { device: Device }): ReactNode {
  if (device.isSelf) return <><OwnNetworks /><OwnNames /><ForwardList device={undefined} /></>
  return (
    <>
      <DeviceReach device={device} />
      <DeviceNetworks device={device.id} />
      <ForwardList device={device} />
      <DeviceBlocked nodeKey={device.peer.PublicKey} />
      <Nothing device={device} />
    </>
  )
}

function Nothing({ device }: { device: Device }): ReactNode {
  const isEmpty = useSnapshot((s) => !routesBehind(s.routes, device.id).some(({ prefix }) => isNetwork(prefix))
    && forwardsTo(s.forwards, device).length === 0 && blockedWith(s.blocked, device.peer.PublicKey, s.nowMs, 1).length === 0)
  return isEmpty ? <p className="t2 access-none">{t('device.access.none')}</p> : null
}
