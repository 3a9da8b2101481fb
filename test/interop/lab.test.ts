/**
 * The lab itself, proven with two real tailscaleds before anything of ours stands in it.
 */
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { runOk } from '../support/child.ts'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'

describe.each(['derpers', 'embedded'] as const)('relays: %s', (relays) => {
  let one: LabNode
  let two: LabNode
  labSuite(
    'two tailscaleds in the lab',
    { relays },
    async (lab) => {
      ;[one, two] = await Promise.all([lab.join('tailscaled', 'n1'), lab.join('tailscaled', 'n2')])
      await Promise.all([one.waitUsable(two), two.waitUsable(one)])
    },
    (lab) => {
      test('the server lists both as online', async () => {
        const nodes = await lab().headscale.nodes()
        expect(nodes.map((node) => [node.given_name, node.online])).toEqual(expect.arrayContaining([['n1', true], ['n2', true]]))
      })

      test('curl through one reaches a web server behind the other by short name', async () => {
        const server = createServer((_, response) => response.end('hello from n2'))
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
        const address = server.address()
        const port = typeof address === 'object' && address !== null ? address.port : 0
        try {
          const page = await runOk('curl', ['-sS', '--max-time', '10', '--socks5-hostname', `127.0.0.1:${one.socksPort}`, `http://n2:${port}/`])
          expect(page).toBe('hello from n2')
        } finally {
          server.close()
        }
      })

      test('bytes arrive with an equal hash in both directions', async () => {
        const { v4 } = await two.ips()
        for (const verb of ['get', 'put'] as const) {
          const result = await lab().transfer(verb, one.via(), v4, 20_000_000)
          expect(result).toMatchObject({ bytes: 20_000_000, sha256: result.expected })
        }
      })

      test('what the server sent is on record', async () => {
        const { id } = await lab().headscale.node('n1')
        expect(lab().headscale.sentTo(id).length).toBeGreaterThan(0)
      })

      test('each relay accepts connections', async () => {
        for (const { host, port } of lab().derpers) {
          await new Promise<void>((resolve, reject) => {
            const socket = connect({ host, port }, () => resolve(void socket.destroy()))
            socket.once('error', reject)
          })
        }
      })
    },
  )
})
