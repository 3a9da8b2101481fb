/**
 * The menu of a row, or of the selection.
 */
import { Copy, Eye, EyeOff, FileDown, FolderOpen, Gauge, Pencil, Pin, PinOff, Send, SquareCheck, Tag, X } from 'lucide-react'
import type { ReactNode } from 'react'
import type { AccountView } from '../../preload/contract.ts'
import { t } from '../../main/words/words.ts'
import type { Device } from '../state/devices.ts'
import { toggleSelected, useList } from '../state/devices-session.ts'
import { mayReceive } from '../state/targets.ts'
import { keyWords } from '../ui/keys.ts'
import { PopupMenu, type MenuItem } from '../ui/PopupMenu.tsx'
import type { DeviceActions } from './DevicesActions.tsx'

interface MenuProps {
  readonly devices: readonly Device[]
  readonly x: number
  readonly y: number
  readonly view: AccountView
  readonly actions: Omit<DeviceActions, 'said' | 'overlay' | 'menu'>
  readonly onClose: () => void
}

export function DevicesMenu({ devices, x, y, view, actions, onClose }: MenuProps): ReactNode {
  const items = devices.length === 1 ? itemsOfOne(devices[0]!, view, actions) : itemsOfMany(devices, view, actions)
  const label = devices.length === 1 ? t('devices.menu', { name: devices[0]!.name }) : t('devices.menu.many', { n: devices.length })
  return <PopupMenu label={label} x={x} y={y} items={items} onClose={onClose} />
}

const ICON = { size: 16, strokeWidth: 1.9, 'aria-hidden': true } as const

function itemsOfOne(device: Device, view: AccountView, actions: MenuProps['actions']): readonly MenuItem[] {
  const { id, peer } = device
  const [isPinned, isHidden, isSelected] = [view.pinned.includes(id), view.hidden.includes(id), useList.getState().selected.has(id)]
  const ipv6 = peer.TailscaleIPs?.find((ip) => ip.includes(':') && ip !== device.address)
  return [
    { words: t('devices.menu.open'), icon: <FolderOpen {...ICON} />, key: '⏎', act: () => actions.open(id) },
    ...(device.isSelf ? [] : [{ words: t('devices.menu.ping'), icon: <Gauge {...ICON} />, act: () => actions.ping(id) }]),
    ...(mayReceive(device) ? [{ words: t('devices.menu.send'), icon: <Send {...ICON} />, key: keyWords('Mod+U'), act: () => actions.send(id) }] : []),
    { words: t('devices.menu.copyAddress'), icon: <Copy {...ICON} />, act: () => actions.copyAddresses([id]) },
    ...(ipv6 === undefined ? [] : [{ words: t('devices.menu.copyIpv6'), icon: <Copy {...ICON} />, act: () => actions.copyText(ipv6) }]),
    { words: t('devices.menu.copyName'), icon: <Tag {...ICON} />, act: () => actions.copyText(device.name) },
    { words: t(isPinned ? 'devices.menu.unpin' : 'devices.menu.pin'), icon: isPinned ? <PinOff {...ICON} /> : <Pin {...ICON} />, act: () => actions.mark('pinned', [id], !isPinned) },
    { words: t('devices.menu.nickname'), icon: <Pencil {...ICON} />, act: () => actions.rename(id) },
    { words: t(isSelected ? 'devices.menu.unselect' : 'devices.menu.select'), icon: isSelected ? <X {...ICON} /> : <SquareCheck {...ICON} />, act: () => toggleSelected(id) },
    { words: t(isHidden ? 'devices.menu.show' : 'devices.menu.hide'), icon: isHidden ? <Eye {...ICON} /> : <EyeOff {...ICON} />, act: () => actions.mark('hidden', [id], !isHidden) },
  ]
}

export function itemsOfMany(devices: readonly Device[], view: AccountView, actions: MenuProps['actions']): readonly MenuItem[] {
  const ids = devices.map((device) => device.id)
  const [allPinned, allHidden] = [ids.every((id) => view.pinned.includes(id)), ids.every((id) => view.hidden.includes(id))]
  return [
    { words: t('devices.menu.copyAddresses'), icon: <Copy {...ICON} />, act: () => actions.copyAddresses(ids) },
    { words: t('devices.menu.csv'), icon: <FileDown {...ICON} />, act: () => actions.exportCsv(ids) },
    { words: t(allPinned ? 'devices.menu.unpin' : 'devices.menu.pin'), icon: allPinned ? <PinOff {...ICON} /> : <Pin {...ICON} />, act: () => actions.mark('pinned', ids, !allPinned) },
    { words: t(allHidden ? 'devices.menu.show' : 'devices.menu.hide'), icon: allHidden ? <Eye {...ICON} /> : <EyeOff {...ICON} />, act: () => actions.mark('hidden', ids, !allHidden) },
  ]
}
