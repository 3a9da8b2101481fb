/**
 * The PeerAPI's port, against ports that a real tailscaled took.
 */
import { expect, test } from 'vitest'
import { peerApiPort, peerApiServices } from '../../../../main/engine/core/plan/peer-api-port.ts'

test.each([
  [['100.64.0.1', 'fd7a:115c:a1e0::1'], 58436],
  [['100.64.0.2', 'fd7a:115c:a1e0::2'], 46590],
  [[], 0],
])('the port of %j is %i, as in a tailscaled in userspace mode', (addresses, port) => {
  expect(peerApiPort(addresses)).toBe(port)
})

const NAMES = { Proto: 'peerapi-dns-proxy', Port: 1 }

test('control is told one service for each family that we have, and that names are looked up here', () => {
  expect(peerApiServices(['100.64.0.2', 'fd7a:115c:a1e0::2'])).toEqual([{ Proto: 'peerapi4', Port: 46590 }, { Proto: 'peerapi6', Port: 46590 }, NAMES])
  expect(peerApiServices(['100.64.0.2'])).toEqual([{ Proto: 'peerapi4', Port: 46590 }, NAMES])
  expect(peerApiServices(['fd7a:115c:a1e0::2'])).toEqual([{ Proto: 'peerapi6', Port: peerApiPort(['fd7a:115c:a1e0::2']) }, NAMES])
  expect(peerApiServices([])).toEqual([])
})
