/**
 * A whole running engine under a hostile control server: damaged maps by the hundred, and it goes on to answer, to show
 * what it has, and to carry packets once the server means well again. Relayed, so that no made-up address is sent to.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { isDecodeError } from '../../main/engine/base/errors.ts'
import { checkMapResponse } from '../../main/engine/core/tailcfg/check-map.ts'
import type { MapResponse } from '../../main/engine/core/tailcfg/types.ts'
import { METHODS, type Method } from '../../main/localapi/methods.ts'
import { hasAddon, Lab } from '../sim/engine-lab.ts'
import { seededRandom } from '../sim/clock.ts'
import { waitFor } from '../support/wait.ts'
import { exchange } from '../unit/server/rig.ts'
import { Chance } from './chance.ts'
import { FUZZ_CASES, FUZZ_SEED } from './fuzz.ts'

const FOLDER = new URL('../vectors/mapresponse/', import.meta.url)
const RECORDED = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as Record<string, unknown>)
/** Of these the engine would speak to the world outside. */
const LEFT_OUT = ['DERPMap', 'PingRequest', 'PopBrowserURL', 'ControlDialPlan', 'Debug', 'ControlTime']

let lab: Lab | undefined
const unheard: unknown[] = []
const onUnheard = (reason: unknown): void => void unheard.push(reason)
afterEach(async () => {
  process.off('unhandledRejection', onUnheard)
  await lab?.stop()
})

test.runIf(hasAddon)('an engine goes on through hundreds of damaged maps, and carries packets when they are over', async (context) => {
  context.onTestFailed(() => console.error(`BOWLINE_FUZZ_SEED=${FUZZ_SEED}\n${lab?.log.slice(-50).join('\n') ?? ''}`))
  process.on('unhandledRejection', onUnheard)
  lab = new Lab()
  await lab.start()
  const [ada] = await lab.pair({ TS_DEBUG_ALWAYS_USE_DERP: 'true' })
  const { control } = lab
  const node = control.tailnet.nodeNamed('ada')
  const web = control.tailnet.nodeNamed('web')
  const chance = new Chance(seededRandom(FUZZ_SEED))
  const count = Math.ceil(FUZZ_CASES * 0.15)
  for (let sent = 0; sent < count; ) {
    const message: Record<string, unknown> = { ...(JSON.parse(JSON.stringify(chance.damageJson(chance.pick(RECORDED)))) as object) }
    for (const field of LEFT_OUT) delete message[field]
    // Ourselves and the other one by their true numbers, so that the damage is taken for theirs.
    for (const peer of [...list(message['Peers']), ...list(message['PeersChanged'])]) if (chance.is(0.5)) Object.assign(peer, { ID: web.id, Key: web.nodeKey })
    if (isDecodeError(checkMapResponse(message))) continue
    control.sendTo(node, message as MapResponse)
    sent++
    if (sent % 20 === 0) await everyEndpointAnswers(ada.api.socketPath)
  }
  await everyEndpointAnswers(ada.api.socketPath)
  // They came and were read: most hold something of a wrong type.
  expect(lab.log.filter((line) => line.includes('dropped ill-typed parts')).length).toBeGreaterThan(count / 10)
  control.dropConnections()
  await ada.state('Running', 30_000)
  await waitFor('the page, when the server means well again', async () => (await ada.page('web')) === 'hello', { withinMs: 30_000 })
  expect(unheard).toEqual([])
}, 120_000)

function list(value: unknown): object[] {
  return Array.isArray(value) ? value.filter((item): item is object => typeof item === 'object' && item !== null) : []
}

async function everyEndpointAnswers(socketPath: string): Promise<void> {
  for (const method of Object.values(METHODS) as Method<unknown, unknown>[]) {
    if (!method.methods.includes('GET') || method.may !== 'read' || method.path === 'watch-ipn-bus' || method.path === 'bowline/netcheck') continue
    const answer = await exchange(socketPath, 'GET', `/localapi/v0/${method.path}`)
    // A stock daemon says so where the server lets nobody share files.
    const isStockWord = method.path === 'file-targets' && answer.status === 500 && 'error' in (JSON.parse(answer.text) as object)
    if (!isStockWord) expect([method.path, answer.status]).not.toEqual([method.path, 500])
  }
}
