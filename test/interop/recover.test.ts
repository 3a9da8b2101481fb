/**
 * Faults that must heal by themselves: the engine killed, the control server away or restarted, the relays restarted,
 * both at once.
 */
import { expect, test } from 'vitest'
import { pause, waitFor } from '../support/wait.ts'
import { labSuite } from './lab/suite.ts'
import { echoService, Heartbeat, reaches, type Service } from './lab/services.ts'
import type { LabNode } from './lab/node.ts'

let ours: LabNode
let real: LabNode
let relayed: LabNode
let echo: Service

/** How long the control server stays away while tunnels must go on. */
const AWAY_MS = 45_000

/** Everything is well again within this long of the last part's return. */
const RECOVERED_MS = 60_000

/** Resolves when the echo behind `to` answers through `from`'s proxy. */
async function waitEcho(from: LabNode, to: LabNode, withinMs = RECOVERED_MS): Promise<void> {
  await waitFor(`an echo from ${to.name} to ${from.name}`, async () => reaches(from.via(), to.name, echo.port, 3000), { withinMs, everyMs: 100 })
}

/** Resolves when traffic flows both ways, directly and relayed. */
async function waitAllWell(): Promise<void> {
  await Promise.all([waitEcho(ours, real), waitEcho(real, ours), waitEcho(ours, relayed), waitEcho(relayed, ours)])
}

labSuite(
  'recovery without help',
  {},
  async (lab) => {
    echo = await echoService()
    ;[ours, real, relayed] = await Promise.all([
      lab.join('bowline', 'ours'),
      lab.join('tailscaled', 'real'),
      lab.join('tailscaled', 'relayed', { env: { TS_DEBUG_ALWAYS_USE_DERP: 'true' } }),
    ])
    await Promise.all([ours.waitUsable(real), ours.waitUsable(relayed), real.waitUsable(ours), relayed.waitUsable(ours)])
    await waitAllWell()
  },
  (lab) => {
    test('killed and started again, it is the same node and Running within 2 s', async () => {
      const before = await ours.api.status()
      await ours.stop('kill')
      const startedMs = performance.now()
      await ours.start()
      await ours.waitState('Running', 10_000)
      const tookMs = performance.now() - startedMs
      const after = await ours.api.status()
      expect(after.Self.PublicKey).toBe(before.Self.PublicKey)
      expect(after.TailscaleIPs).toEqual(before.TailscaleIPs)
      expect(tookMs).toBeLessThan(2000)
      await waitAllWell()
      expect((await lab().headscale.nodes()).length).toBe(3)
    })

    test('ended with SIGTERM it goes cleanly and leaves no socket', async () => {
      const exit = await ours.stop()
      expect(exit).toEqual({ code: 0, signal: null })
      await ours.start()
      await waitAllWell()
    })

    test('tunnels go on while the control server is away', async () => {
      const beats = await Promise.all([
        Heartbeat.open(ours.via(), 'real', echo.port, 20),
        Heartbeat.open(ours.via(), 'relayed', echo.port, 20),
        Heartbeat.open(real.via(), 'ours', echo.port, 20),
      ])
      try {
        await lab().headscale.stop('kill')
        const awayMs = Date.now()
        while (Date.now() - awayMs < AWAY_MS) {
          await pause(1000)
          for (const beat of beats) expect(Date.now() - beat.lastAnswerMs).toBeLessThan(1000)
        }
        expect((await ours.api.status()).BackendState).toBe('Running')
        await waitFor('the loss to be told', async () => ((await ours.api.status()).Health ?? []).length > 0, { withinMs: 30_000 })
      } finally {
        for (const beat of beats) beat.stop()
      }
    })

    test('an engine restarted meanwhile comes up from the saved map and says so', async () => {
      await ours.stop('kill')
      const startedMs = performance.now()
      await ours.start()
      await ours.waitState('Running', 10_000)
      expect(performance.now() - startedMs).toBeLessThan(2000)
      const status = await ours.api.status()
      expect(Object.values(status.Peer ?? {}).map((peer) => peer.HostName).sort()).toEqual(['real', 'relayed'])
      await waitEcho(ours, relayed, 20_000)
      await waitEcho(ours, real, 20_000)
      await waitFor('a word on the saved map', async () => /saved|cached|control|coordination|out of sync/i.test(((await ours.api.status()).Health ?? []).join('\n')), { withinMs: 30_000 })
    })

    test('the control server comes back and everything is current again', async () => {
      await lab().headscale.resume()
      await waitFor('the server to list all as online', async () => (await lab().headscale.nodes()).every((node) => node.online === true), { withinMs: RECOVERED_MS, everyMs: 250 })
      await waitAllWell()
      await waitFor('no complaint about the control server', async () => !/saved|cached|control|coordination|out of sync/i.test(((await ours.api.status()).Health ?? []).join('\n')), { withinMs: RECOVERED_MS })
    })

    test('the control server restarts', async () => {
      await lab().headscale.restart()
      await waitFor('the server to list us as online', async () => (await lab().headscale.node('ours')).online === true, { withinMs: RECOVERED_MS, everyMs: 250 })
      await waitAllWell()
    })

    test('the relays restart', async () => {
      await Promise.all(lab().derpers.map((derper) => derper.stop('kill')))
      await Promise.all(lab().derpers.map((derper) => derper.resume()))
      await waitAllWell()
    })

    test('the relays and the control server restart together', async () => {
      await Promise.all([...lab().derpers.map((derper) => derper.stop('kill')), lab().headscale.stop('kill')])
      await Promise.all([...lab().derpers.map((derper) => derper.resume()), lab().headscale.resume()])
      await waitFor('the server to list us as online', async () => (await lab().headscale.node('ours')).online === true, { withinMs: RECOVERED_MS, everyMs: 250 })
      await waitAllWell()
    })

    test('a peer that is killed and comes back is reached again', async () => {
      await real.stop('kill')
      await real.start()
      await waitAllWell()
    })
  },
)

labSuite(
  'recovery with the embedded relay',
  { relays: 'embedded' },
  async (lab) => {
    echo = await echoService()
    ;[ours, real] = await Promise.all([
      lab.join('bowline', 'ours'),
      lab.join('tailscaled', 'real', { env: { TS_DEBUG_ALWAYS_USE_DERP: 'true' } }),
    ])
    await Promise.all([ours.waitUsable(real), real.waitUsable(ours)])
  },
  (lab) => {
    test('control server and relay vanish and return as one', async () => {
      await Promise.all([waitEcho(ours, real), waitEcho(real, ours)])
      await lab().headscale.stop('kill')
      await lab().headscale.resume()
      await Promise.all([waitEcho(ours, real), waitEcho(real, ours)])
    })
  },
)
