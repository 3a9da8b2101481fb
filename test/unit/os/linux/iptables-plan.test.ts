import { expect, test } from 'vitest'
import { iptablesRemoval, iptablesRules, ownIptables } from '../../../../main/engine/os/linux/iptables-plan.ts'
import { EXIT, FORWARD, PLAIN } from './wishes.ts'

const ALONE = { attached: [], internal: ['docker0'], apart: undefined }

/** What iptables-save says after a text was loaded onto nothing; jumps stand first. */
function savedOf(text: string): string {
  return text.split('*').filter((part) => part !== '').map((part) => {
    const [table, ...lines] = part.split('\n')
    const chains = lines.filter((line) => line.startsWith(':'))
    const jumps = lines.filter((line) => line.startsWith('-I')).map((line) => line.replace('-I', '-A').replace(' 1 ', ' '))
    return `*${table}\n:INPUT ACCEPT [0:0]\n${chains.join('\n')}\n${[...jumps, ...lines.filter((line) => line.startsWith('-A'))].join('\n')}\nCOMMIT\n`
  }).join('')
}

test('a plain wish for IPv4', () => {
  expect(iptablesRules(PLAIN, ALONE, 4, '')).toMatchInlineSnapshot(`
    "*mangle
    :bowline-back - [0:0]
    :bowline-save - [0:0]
    :bowline-clamp - [0:0]
    -A bowline-back -m conntrack --ctstate RELATED,ESTABLISHED -m connmark --mark 0x80000/0xff0000 -j MARK --set-xmark 0x80000/0xff0000
    -I PREROUTING 1 -j bowline-back
    -A bowline-save -m conntrack --ctstate NEW -m mark --mark 0x80000/0xff0000 -j CONNMARK --save-mark --nfmask 0xff0000 --ctmask 0xff0000
    -I OUTPUT 1 -j bowline-save
    -A bowline-clamp -i bowline0 -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
    -A bowline-clamp -o bowline0 -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
    -I FORWARD 1 -j bowline-clamp
    COMMIT
    *filter
    :bowline-input - [0:0]
    :bowline-forward - [0:0]
    -A bowline-input -i lo -j RETURN
    -A bowline-input -i bowline0 -j ACCEPT
    -A bowline-input -p udp -m udp --dport 41641 -j ACCEPT
    -A bowline-input -m connmark --mark 0x80000/0xff0000 -j ACCEPT
    -A bowline-input -s 100.115.92.0/23 -j RETURN
    -A bowline-input -s 100.64.0.0/10 -j DROP
    -A bowline-input -i docker0 -j RETURN
    -A bowline-input -d 100.64.0.1/32 -j DROP
    -I INPUT 1 -j bowline-input
    -A bowline-forward -i bowline0 -j ACCEPT
    -A bowline-forward -o bowline0 -s 100.115.92.0/23 -j ACCEPT
    -A bowline-forward -o bowline0 -s 100.64.0.0/10 -j DROP
    -A bowline-forward -o bowline0 -j ACCEPT
    -I FORWARD 1 -j bowline-forward
    COMMIT
    "
  `)
})

test('with an exit node what is not for the tunnel ends, for both families, and questions for names with it', () => {
  for (const family of [4, 6] as const) {
    const lines = iptablesRules({ ...EXIT, guardNames: true, forward: FORWARD }, ALONE, family, '').split('\n')
    const output = lines.filter((line) => line.startsWith('-A bowline-output'))
    expect(output.at(-1)).toBe('-A bowline-output -j DROP')
    expect(output.indexOf('-A bowline-output -p udp -m udp --dport 53 -j DROP')).toBeLessThan(output.findIndex((line) => line.includes('-d 192.168.1.0/24') || line.includes('-d 2001:db8:1::/64')))
    expect(lines.filter((line) => line.startsWith('-A bowline-forward')).at(-1)).toBe('-A bowline-forward -j DROP')
    expect(lines).toContain('-A bowline-hide -m mark --mark 0x40000/0xff0000 -j MASQUERADE')
    expect(lines.some((line) => line.includes(family === 4 ? '::' : '192.168.'))).toBe(false)
  }
})

test('a jump that stands first is left, one that another program pushed down is put first again, and a chain that is not wanted goes', () => {
  const saved = savedOf(iptablesRules(EXIT, ALONE, 4, ''))
  expect(iptablesRules(EXIT, ALONE, 4, saved)).not.toMatch(/^-[ID] /m)
  const pushed = saved.replace('-A INPUT -j bowline-input', '-A INPUT -j ufw-input\n-A INPUT -j bowline-input')
  expect(iptablesRules(EXIT, ALONE, 4, pushed)).toContain('-D INPUT -j bowline-input\n-I INPUT 1 -j bowline-input\n')
  expect(iptablesRules(PLAIN, ALONE, 4, saved)).toContain('-D OUTPUT -j bowline-output\n-F bowline-output\n-X bowline-output\n')
})

test('rules or jumps of ours that are taken away, emptied or passed by are seen, and what others do among their own is not', () => {
  const saved = savedOf(iptablesRules(EXIT, ALONE, 4, ''))
  const own = ownIptables(saved)
  expect(ownIptables(saved.replace('INPUT ACCEPT [0:0]', 'INPUT DROP [7:99]').replace('COMMIT', '-A INPUT -p tcp -j ACCEPT\nCOMMIT'))).toBe(own)
  const emptied = saved.split('\n').filter((line) => !line.startsWith('-A bowline-output')).join('\n')
  const cut = saved.replace('-A OUTPUT -j bowline-output\n', '')
  const passedBy = saved.replace('-A OUTPUT -j bowline-output\n', '-A OUTPUT -j ACCEPT\n-A OUTPUT -j bowline-output\n')
  for (const other of [emptied, cut, passedBy]) expect(ownIptables(other)).not.toBe(own)
})

test('with nodivert nobody is sent into the chains, and those who were are no longer', () => {
  const saved = savedOf(iptablesRules(PLAIN, ALONE, 4, ''))
  const text = iptablesRules({ ...PLAIN, netfilter: 'nodivert' }, ALONE, 4, saved)
  expect(text).toContain('-A bowline-input -i bowline0 -j ACCEPT')
  expect(text).toContain('-D INPUT -j bowline-input')
  expect(text).not.toContain('-I ')
})

test('all of ours is taken away, and nothing where nothing is', () => {
  expect(iptablesRemoval('*filter\n:INPUT DROP [0:0]\n-A INPUT -j ufw-input\nCOMMIT\n')).toBe('')
  const text = iptablesRemoval(savedOf(iptablesRules({ ...EXIT, forward: FORWARD }, ALONE, 4, '')))
  expect(text.match(/^-D /gm)).toHaveLength(7)
  expect(text.match(/^-X bowline-/gm)).toHaveLength(7)
})
