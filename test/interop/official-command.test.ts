/**
 * The official `tailscale` command, verb by verb, on our socket and on a real tailscaled's in the same network: both print
 * the same text and end with the same status, names, addresses, keys and times aside.
 */
import { describe, expect, test } from 'vitest'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'

let ours: LabNode
let real: LabNode
let other: LabNode

/** What a command says with everything that belongs to one node or moment replaced, warnings of health left away. */
async function said(node: LabNode, words: readonly string[]): Promise<{ code: number | null; text: string }> {
  const { code, stdout, stderr } = await node.tailscale(...words.map((word) => word.replaceAll('SELF', node.name)))
  const status = await node.api.status()
  let text = `${stdout}${stderr}`.split('\n').filter((line) => !/^(Warning: client version|# |$)/.test(line)).join('\n')
  for (const ip of status.TailscaleIPs ?? []) text = text.replaceAll(ip, 'OWN-IP')
  text = text.replaceAll(status.Self.DNSName.replace(/\.$/, ''), 'SELF-NAME').replaceAll(new RegExp(`\\b${node.name}\\b`, 'g'), 'SELF')
  // Which of a direct path's addresses answers first is chance.
  text = text.replaceAll(/ via (\[[\da-f:]+\]|[\d.]+):\d+ in /g, ' via DIRECT in ')
  return { code, text: text.replaceAll(/\d+(\.\d+)?(ms|s)\b/g, 'TIME').replaceAll(/ {2,}/g, '  ').trim() }
}

/** Looks only; run in the given order. */
const LOOKS: readonly (readonly string[])[] = [
  ['status', '--peers=false'], ['ip'], ['ip', '-4'], ['ip', '-6'], ['ip', '-1'], ['ip', '-4', 'other'], ['ip', '-6', 'other'], ['ip', '--assert=100.64.0.99'],
  ['ping', '-c', '1', '--tsmp', 'other'], ['ping', '-c', '1', '--icmp', 'other'], ['ping', '-c', '1', '--peerapi', 'other'], ['ping', '--size=70000', 'other'], ['ping', '--size=100', '--icmp', 'other'], ['ping', '-c', '2', '--until-direct=false', '--verbose', 'other'], ['ping', 'nobody.invalid'], ['ping'], ['ping', '-c', '1', '100.64.0.99'],
  ['whois', 'OTHER'], ['whois', 'OTHER:80'], ['whois', '100.64.0.99'], ['version', '--json'],
  ['dns', 'status'], ['dns', 'status', '--all'], ['dns', 'status', '--json'], ['dns', 'query', 'other.lab.internal'], ['dns', 'query', 'other.lab.internal', 'AAAA'],
  ['dns', 'query', '--json', 'other.lab.internal'], ['dns', 'query', 'nope.lab.internal'], ['exit-node', 'list'], ['exit-node', 'suggest'],
  ['debug', 'derp-map'], ['debug', 'rebind'], ['debug', 'restun'], ['debug', 'peer-relay-servers'], ['debug', 'localapi', 'GET', '/localapi/v0/nonesuch'],
  ['debug', 'localapi', 'GET', '/localapi/v0/dns-config'], ['serve', 'status'], ['funnel', 'status'], ['funnel', '80'], ['syspolicy', 'list'], ['appc-routes'], ['wait'],
]

/** Changes, each on top of the last. */
const CHANGES: readonly (readonly string[])[] = [
  ['up', '--shields-up'], ['up', '--login-server=SERVER', '--shields-up'], ['up', '--login-server=SERVER', '--accept-routes', '--hostname=SELF'],
  ['up', '--login-server=SERVER', '--accept-routes', '--hostname=SELF', '--json'], ['up', '--login-server=SERVER', '--hostname=SELF', '--qr'],
  ['up', '--login-server=SERVER', '--hostname=SELF', '--advertise-routes=10.1.0.1/24'], ['up', '--login-server=SERVER', '--hostname=SELF', '--exit-node=100.64.0.99'],
  ['up', '--login-server=SERVER', '--hostname=SELF', '--reset'], ['up', '--login-server=http://127.0.0.1:9', '--hostname=SELF'],
  ['set', '--accept-routes', '--accept-dns=false', '--shields-up'], ['set', '--advertise-exit-node'], ['set', '--advertise-exit-node=false'],
  ['set', '--advertise-routes=10.2.0.0/16,10.3.0.0/16'], ['set', '--advertise-routes=nonsense'], ['set', '--advertise-routes='], ['set', '--exit-node=other'],
  ['set', '--exit-node=100.64.0.99'], ['set', '--exit-node='], ['set', '--exit-node-allow-lan-access'], ['set', '--operator=daemon'], ['set', '--operator='],
  ['set', '--nickname=work'], ['set', '--auto-update=false'], ['set', '--update-check=false'], ['set', '--report-posture'], ['set', '--webclient'], ['set', '--webclient=false'],
  ['set', '--advertise-connector'], ['set', '--advertise-connector=false'], ['set', '--snat-subnet-routes=false'], ['set', '--snat-subnet-routes'], ['set', '--netfilter-mode=off'],
  ['set', '--stateful-filtering'], ['set', '--relay-server-port=1234'], ['set', '--relay-server-port='], ['set', '--relay-server-static-endpoints=1.2.3.4:5'],
  ['set', '--relay-server-static-endpoints='], ['set', '--sync=false'], ['set', '--sync'], ['set', '--ssh=false'], ['switch', 'nope'],
]

/** What there is not here, in one sentence each. */
const REFUSED: readonly (readonly [words: readonly string[], sentence: string])[] = [
  [['cert', 'x.lab.internal'], 'Bowline does not fetch TLS certificates.'],
  [['lock', 'log'], 'Tailnet Lock is not enabled'],
  [['lock', 'sign', `nodekey:${'1'.repeat(64)}`], 'Bowline has no tailnet lock.'],
  [['drive', 'list'], 'Bowline does not share folders.'],
  [['serve', '3000'], 'Bowline does not serve or funnel local services to the network.'],
  [['debug', 'daemon-goroutines'], 'Bowline has no goroutines to show.'],
]

describe('the official command beside a real daemon', () => {
  labSuite(
    'verbs',
    { relays: 'derper' },
    async (lab) => {
      ;[ours, real, other] = await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'real'), lab.join('tailscaled', 'other')])
      await Promise.all([ours.waitDirect(other), real.waitDirect(other)])
    },
    (lab) => {
      const both = async (words: readonly string[]): Promise<void> => {
        const { v4 } = await other.ips()
        const whole = words.map((word) => word.replace('OTHER', v4).replace('SERVER', lab().headscale.url))
        const [mine, theirs] = await Promise.all([said(ours, whole), said(real, whole)])
        expect(mine).toEqual(theirs)
      }

      test.each(LOOKS.map((words) => [words.join(' '), words] as const))('%s', async (_name, words) => both(words))

      test.each(REFUSED)('%j is refused in a sentence', async (words, sentence) => {
        const { code, stdout, stderr } = await ours.tailscale(...words)
        expect(code).not.toBe(0)
        expect(stdout + stderr).toContain(sentence)
      })

      test('lock says that there is none', async () => {
        expect(await ours.tailscale('lock')).toMatchObject({ code: 0, stdout: expect.stringContaining('Tailnet Lock is NOT enabled') })
      })

      test('bugreport gives a marker, with --record two, and the journal knows them', async () => {
        const marker = /^BUG-[0-9a-f]{64}-\d{14}Z-[0-9a-f]{16}$/
        const { stdout } = await ours.tailscale('bugreport', '--diagnose', 'my note')
        expect(stdout.trim()).toMatch(marker)
        const { stdout: journal } = await ours.bowline('debug', 'journal', '--json')
        expect(journal).toContain(stdout.trim())
        const recording = await ours.api.call('POST', 'bugreport?record=true', 'x')
        expect(recording.text.trim().split('\n').map((line) => marker.test(line))).toEqual([true, true])
      })

      test('nc speaks with a port of a peer by its name', async () => {
        const { stderr } = await ours.tailscale('nc', 'other', '1')
        expect(stderr).toContain('502 Bad Gateway, dial failure')
      })

      test('metrics, netcheck and status as JSON are taken', async () => {
        expect((await ours.tailscale('metrics', 'print')).stdout).toContain('tailscaled_inbound_packets_total{path="direct_ipv4"}')
        expect(JSON.parse((await ours.tailscale('netcheck', '--format=json')).stdout)).toHaveProperty('PreferredDERP')
        for (const flags of [[], ['--peers=false'], ['--self=false'], ['--active']]) expect(JSON.parse((await ours.tailscale('status', '--json', ...flags)).stdout)).toMatchObject({ BackendState: 'Running' })
        expect((await ours.tailscale('version', '--daemon')).stdout).toContain('Daemon: ')
      })

      test.each(CHANGES.map((words) => [words.join(' '), words] as const))('%s', async (_name, words) => both(words), 60_000)

      test('after all of them the prefs of both are the same', async () => {
        const [mine, theirs] = await Promise.all([ours.api.prefs(), real.api.prefs()])
        for (const prefs of [mine, theirs]) for (const own of ['Config', 'Hostname']) delete prefs[own]
        expect(mine).toEqual(theirs)
      })

      test.each([['switch --list'], ['down'], ['status'], ['ip'], ['dns query other.lab.internal'], ['up'], ['wait'], ['logout'], ['status'], ['switch --list'], ['logout']].map(([line]) => [line!]))('at the end: %s', async (line) => {
        if (line === 'switch --list') expect((await ours.tailscale('switch', '--list')).code).toBe((await real.tailscale('switch', '--list')).code)
        else await both(line.split(' '))
      }, 60_000)
    },
  )
})
