/**
 * A working day of somebody without admin rights, by the commands alone: a real Headscale, a colleague's tailscaled that is
 * exit node and router and has services, our engine. What each part does in depth is tested beside it; here all of it is in
 * use at once, over a restart, and nothing is in another's way.
 */
import { createContext, runInContext } from 'node:vm'
import { expect, test } from 'vitest'
import type { ForwardsPage, ForwardRow } from '../../main/localapi/forwards.ts'
import type { RoutesPage } from '../../main/localapi/routes.ts'
import { run, runOk } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import type { LabNode } from './lab/node.ts'
import { echoService, reaches, webService, type Service } from './lab/services.ts'
import { labSuite } from './lab/suite.ts'

const PATIENT = { withinMs: 45_000, everyMs: 100 }
const BRANCH = '10.99.7.0/24'
const PAGE = 'the intranet'

let laptop: LabNode
let office: LabNode
let web: Service
let echo: Service
let forwarded: ForwardRow

const json = async <T>(...words: string[]): Promise<T> => JSON.parse((await laptop.bowline(...words, '--json')).stdout) as T
const says = async (...words: string[]): Promise<string> => {
  const { stdout, stderr } = await laptop.bowline(...words)
  return `${stdout}${stderr}`
}
const branch = async (): Promise<string | undefined> => (await json<RoutesPage>('routes')).Routes.find(({ Prefix }) => Prefix === BRANCH)?.State

labSuite('a pleasant life without admin rights', {}, async (lab) => {
  ;[laptop, office, web, echo] = await Promise.all([lab.join('bowline', 'laptop'), lab.join('tailscaled', 'office'), webService(PAGE), echoService()])
  await office.tailscale('set', '--advertise-exit-node', `--advertise-routes=${BRANCH}`)
  await lab.headscale.approveRoutes((await lab.headscale.node('office')).id, ['0.0.0.0/0', '::/0', BRANCH])
  await laptop.waitUsable(office)
  await waitFor('the exit node to be offered', async () => (await laptop.peer('office'))?.ExitNodeOption === true, PATIENT)
}, (lab) => {
  test('lines that are printed to be copied work in a shell', async () => {
    const script = `eval "$(${['"$1"', '"$2"', '--socket="$3"'].join(' ')} proxy --shell)" && curl -sS --max-time 30 http://office:${web.port}/`
    const { command, args } = laptop.command
    expect(await runOk('bash', ['-c', script, 'bash', command, args[0]!, laptop.api.socketPath], { timeoutMs: 60_000 })).toBe(PAGE)
  })

  test('a browser learns from the PAC file what goes into the network and what does not', async () => {
    const { PacUrl, Http } = await json<{ PacUrl: string; Http: string }>('proxy')
    const pac = await (await fetch(PacUrl)).text()
    const { v4 } = await office.ips()
    const context = createContext({
      isPlainHostName: (host: string) => !host.includes('.'),
      dnsDomainIs: (host: string, domain: string) => host.endsWith(domain),
      shExpMatch: () => false,
      isInNet: () => false,
      dnsResolve: () => null,
      localHostOrDomainIs: (host: string, name: string) => name.startsWith(host),
    })
    runInContext(pac, context)
    const wayTo = (host: string): string => runInContext(`FindProxyForURL('http://${host}/', '${host}')`, context) as string
    for (const host of ['office', 'office.lab.internal', v4]) expect([host, wayTo(host)]).toEqual([host, expect.stringContaining(Http)])
    expect(wayTo('127.0.0.1')).toBe('DIRECT')
    expect(wayTo('localhost')).toBe('DIRECT')
  })

  test('a port of this computer leads to the colleague, and the list says how much goes there', async () => {
    forwarded = await json<ForwardRow>('forward', 'add', '0', `office:${echo.port}`)
    expect(await waitFor('an echo', () => reaches({ kind: 'none' }, '127.0.0.1', Number(forwarded.Listen.split(':').at(-1)), 5000), PATIENT)).toBe(true)
    expect((await json<ForwardsPage>('forward', 'list')).Forwards).toMatchObject([{ ID: forwarded.ID, State: 'listening', To: `office:${echo.port}` }])
  })

  test('names are answered here, with who said so; what nobody has is not asked of anybody', async () => {
    const { v4 } = await office.ips()
    expect(await says('dns', 'query', 'office')).toContain(v4)
    expect(await says('dns', 'query', v4)).toContain('office.lab.internal')
    expect((await laptop.tailscale('dns', 'query', 'office.lab.internal')).stdout).toContain(v4)
    const lost = await laptop.bowline('dns', 'query', 'nobody.lab.internal')
    expect({ code: lost.code, text: `${lost.stdout}${lost.stderr}` }).toMatchObject({ code: 1, text: expect.stringMatching(/nobody\.lab\.internal/) as unknown })
    expect(await says('dns', 'status')).toMatch(/lab\.internal/)
  })

  test('the branch network is offered, used when wanted, and skipped when not', async () => {
    await waitFor('it to be offered', async () => (await branch()) === 'not-accepted', PATIENT)
    expect(await says('routes')).toMatch(/bowline routes accept all/)
    await laptop.bowline('routes', 'accept', 'all')
    await waitFor('it to be used', async () => (await branch()) === 'used', PATIENT)
    await laptop.bowline('routes', 'skip', BRANCH)
    await waitFor('it to be skipped', async () => (await branch()) === 'skipped', PATIENT)
  })

  test('with an exit node chosen, devices, forwards and names of the network are reached as before', async () => {
    expect((await laptop.bowline('exit-node', 'use', 'office')).code).toBe(0)
    expect(await says('status')).toMatch(/Internet traffic: through office/)
    expect(await runOk('curl', ['-sS', '--proxy', `socks5h://127.0.0.1:${laptop.socksPort}`, `http://office:${web.port}/`])).toBe(PAGE)
    expect(await reaches({ kind: 'none' }, '127.0.0.1', Number(forwarded.Listen.split(':').at(-1)), 20_000)).toBe(true)
    expect(await says('dns', 'status')).toMatch(/All other names +http:\/\/.*dns-query.*office/)
    const refused = await run('curl', ['-sS', '--proxy', `http://127.0.0.1:${laptop.httpPort}`, 'http://nobody.lab.internal/'])
    expect(refused.stdout).toContain('nobody.lab.internal')
  })

  test('everything is as it was after a restart', async () => {
    await laptop.stop()
    await laptop.start()
    await laptop.waitUsable(office)
    await waitFor('the exit node to be used', async () => (await says('exit-node')).includes('goes through office'), PATIENT)
    await waitFor('the network to be skipped still', async () => (await branch()) === 'skipped', PATIENT)
    await waitFor('the forward to lead there', () => reaches({ kind: 'none' }, '127.0.0.1', Number(forwarded.Listen.split(':').at(-1)), 5000), PATIENT)
  })

  test('what the policy closes is told with who closed it', async () => {
    await lab().headscale.setPolicy({ acls: [{ action: 'accept', src: ['*'], dst: [`*:${web.port}`] }] })
    await waitFor('the forward to be refused', async () => !(await reaches({ kind: 'none' }, '127.0.0.1', Number(forwarded.Listen.split(':').at(-1)), 5000)), PATIENT)
    expect(await waitFor('the refusal to be told', async () => {
      const text = await says('blocked')
      return text.includes(String(echo.port)) ? text : undefined
    }, PATIENT)).toMatch(/office/)
  })

  test('what was set up is taken away again', async () => {
    expect(await says('forward', 'remove', forwarded.ID)).toContain('no longer leads')
    expect(await says('forward', 'list')).toContain('There is no forward')
    expect(await reaches({ kind: 'none' }, '127.0.0.1', Number(forwarded.Listen.split(':').at(-1)), 2000)).toBe(false)
    expect(await says('exit-node', 'clear')).toContain('goes out directly')
    expect((await laptop.tailscale('exit-node', 'list')).stdout).not.toMatch(/selected/)
    await Promise.all([web.close(), echo.close()])
  })
})
