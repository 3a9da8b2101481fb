/**
 * Devices as a table for other programs: RFC 4180, one line each. Pure.
 *
 * Spreadsheets take a field that begins with = + - @ for a formula and run it; names come from the network, so such a field gets an
 * apostrophe before it, which shows that it is text. In languages where they part fields by semicolons, one begins behind each of those.
 */
import { t } from '../../main/words/words.ts'
import type { Device } from './devices.ts'

/** With a byte order mark: without one, spreadsheets read accents wrong. */
export function csvOf(devices: readonly Device[], nickname: (id: string) => string): string {
  const head = [t('devices.column.name'), t('devices.nickname'), t('devices.column.owner'), t('devices.csv.addresses'), t('devices.column.path'), t('devices.csv.roundTripMs'), t('devices.csv.heard'), t('devices.csv.server'), t('devices.column.os')]
  const lines = devices.map((device) => {
    const { peer, path } = device
    const heard = peer.LastHandshake.startsWith('0001-') ? peer.LastSeen : peer.LastHandshake
    return [
      device.name, nickname(device.id), device.owner, (peer.TailscaleIPs ?? []).join(' '), path.words, path.latencyMs === undefined ? '' : path.latencyMs.toFixed(1),
      heard.startsWith('0001-') ? '' : heard, peer.Online || device.isSelf ? t('devices.server.online') : t('devices.server.offline'), peer.OS,
    ]
  })
  return `\ufeff${[head, ...lines].map((fields) => fields.map(field).join(',')).join('\r\n')}\r\n`
}

function field(text: string): string {
  // oxlint-disable-next-line no-control-regex
  const clean = text.replaceAll(/[\u0000-\u001f\u007f]/g, ' ')
  const safe = clean.replaceAll(/(^|;)(?=[\s"]*[=+\-@＝＋－＠])/g, "$1'")
  return `"${safe.replaceAll('"', '""')}"`
}
