import { expect, test } from 'vitest'
import { makeRig, recorded } from './rig.ts'

test('any UDP port is used while the server asks for it, and the usual one after', () => {
  const rig = makeRig()
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: { ControlURL: 'https://headscale.example', WantRunning: true }, AuthKey: 'key-1' })
  rig.signIn()
  const self = recorded('02-initial-one-peer.json').Node!
  rig.map({ Node: { ...self, CapMap: { ...self.CapMap, 'randomize-client-port': null } } })
  rig.map({ Node: { ...self, CapMap: { ...self.CapMap, 'randomize-client-port': null }, HomeDERP: 7 } })
  expect(rig.ports).toEqual([true])
  rig.map({ Node: self })
  expect(rig.ports).toEqual([true, false])
})
