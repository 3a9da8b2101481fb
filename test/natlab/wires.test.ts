/**
 * The engine's own sockets beside real routing rules: with the whole computer in a tunnel that leads nowhere they get through all the
 * same, those that were open before too, while nothing of other programs does.
 */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Child, run, runOk } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import { NameServer } from './name-server.ts'
import type { Outcome } from './wires-client.ts'

const HOST = `bwl${process.pid}-wires`
const OUTER = `bwl${process.pid}-outer`
const SELF = '10.9.0.2'
const SERVER = '10.9.0.1'
const NAMES = '203.0.113.53'
const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const inside = (name: string): string[] => ['ip', 'netns', 'exec', name]
const ip = (name: string, ...words: string[]): Promise<string> => runOk('ip', ['-n', name, ...words])

let servers: Child
let names: NameServer
let client: Child
let outcomes: Outcome[] = []

beforeAll(async () => {
  for (const name of [HOST, OUTER]) {
    await runOk('ip', ['netns', 'add', name])
    await ip(name, 'link', 'set', 'lo', 'up')
    // A ping socket for everybody, as desktops have it.
    await runOk('sysctl', ['-qw', 'net.ipv4.ping_group_range=0 2147483647'], { prefix: inside(name) })
  }
  await runOk('ip', ['link', 'add', 'eth0', 'netns', HOST, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', OUTER])
  for (const [name, address] of [[HOST, SELF], [OUTER, SERVER]] as const) {
    await ip(name, 'addr', 'add', `${address}/24`, 'dev', 'eth0')
    await ip(name, 'link', 'set', 'eth0', 'up')
  }
  await ip(OUTER, 'addr', 'add', `${NAMES}/32`, 'dev', 'lo')
  await ip(HOST, 'route', 'add', 'default', 'via', SERVER)
  names = new NameServer(NAMES, inside(OUTER), { 'control.lab': [SERVER], 'big.lab': Array.from({ length: 60 }, (_, i) => `198.51.100.${i + 1}`) })
  servers = new Child({ name: 'servers', command: process.execPath, args: [program('outside-servers.ts'), SERVER], prefix: inside(OUTER) })
  await names.start()
  await waitFor('the servers', () => {
    servers.assertRunning()
    return servers.stdout.includes('ready')
  }, { withinMs: 60_000 })
  client = new Child({ name: 'client', command: process.execPath, args: [program('wires-client.ts'), SERVER, NAMES, SELF], prefix: inside(HOST) })
  await client.exited
  outcomes = client.stdout.split('\n').filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as Outcome)
  if (!outcomes.some(({ what }) => what === 'back')) console.log(client.log, servers.log)
}, 180_000)

afterAll(async () => {
  await Promise.all([client?.stop(), servers?.stop(), names?.stop()])
  for (const name of [HOST, OUTER]) await run('ip', ['netns', 'del', name])
}, 60_000)

const DONE = {
  name: [SERVER], 'short name': [SERVER], 'long answer': 60, tcp: 'hello', http: 'GET /key?v=1', stun: SELF, router: 'heard map', search: 'heard search',
  'router by http': 'GET /root.xml', echo: true, 'way to the world': 'eth0',
}

const found = (from: number, to: number): Record<string, unknown> => Object.fromEntries(outcomes.slice(from, to).map(({ what, found: one }) => [what, one]))
const back = (): number => outcomes.findIndex(({ what }) => what === 'back')

describe('while everything goes into a tunnel that leads nowhere', () => {
  test("the engine's own sockets get through, new ones and those that were open before", () => {
    expect(found(0, back())).toMatchObject({ before: ['a', 'b'], 'a living connection': 'c', 'living datagrams': 'heard d', ...DONE })
  })

  test("nothing of other programs does", () => {
    expect(found(0, back())).toMatchObject({
      'a program by tcp': expect.stringMatching(/EHOSTUNREACH|ENETUNREACH/) as unknown, 'a program by udp': expect.stringMatching(/EHOSTUNREACH|ENETUNREACH/) as unknown,
      'way of programs': 'none', "a program's living connection": 'silent',
    })
  })
})

test('afterwards all goes on without marks', () => {
  expect(found(back() + 1, outcomes.length)).toMatchObject({ 'the same connection': 'e', ...DONE })
})
