import fc from 'fast-check'
import { expect, test } from 'vitest'
import { foreignChains, openDoors, readDoors, shutDoors, wantedDoors } from '../../../../main/engine/os/linux/doors.ts'
import { PLAIN } from './wishes.ts'

const LISTING = `table inet bowline {
	chain input {
		type filter hook input priority filter; policy accept;
	}
}
table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy accept;
	}
	chain OUTPUT {
		type filter hook output priority filter; policy drop;
	}
	chain ufw-user-input {
	}
}
table inet firewalld { # progname firewalld
	chain filter_FORWARD {
		type filter hook forward priority filter + 10; policy accept;
	}
}
table inet own {
	chain input {
		type filter hook input priority filter; policy drop;
	}
	chain watch {
		type filter hook input priority -10; policy accept;
	}
	chain nat {
		type nat hook input priority 100; policy drop;
	}
}
table bridge filter {
	chain FORWARD {
		type filter hook forward priority -200; policy drop;
	}
}
table arp filter {
	chain INPUT {
		type filter hook input priority filter; policy drop;
	}
}
`
const CHAIN = { family: 'ip', table: 'filter', chain: 'INPUT', hook: 'input' } as const

test('chains that may drop are found, and no others', () => {
  expect(foreignChains(LISTING)).toEqual([
    CHAIN,
    { family: 'inet', table: 'firewalld', chain: 'filter_FORWARD', hook: 'forward' },
    { family: 'inet', table: 'own', chain: 'input', hook: 'input' },
  ])
})

test('doors are put at the head, known again, and left when they are as they should be', () => {
  const wanted = wantedDoors(PLAIN, 'input')
  expect(openDoors(CHAIN, [], wanted)).toEqual([
    'insert rule ip filter INPUT udp dport 41641 counter accept comment "bowline"',
    'insert rule ip filter INPUT iifname "bowline0" counter accept comment "bowline"',
  ])
  const shown = `table ip filter {
	chain INPUT { # handle 1
		type filter hook input priority filter; policy drop;
		iifname "bowline0" counter packets 7 bytes 420 accept comment "bowline" # handle 9
		udp dport 41641 counter accept comment "bowline" # handle 8
		ip saddr 192.0.2.1 counter accept comment "bowline too" # handle 2
	}
}`
  const there = readDoors(shown)
  expect(there.map(({ handle }) => handle)).toEqual([9, 8])
  expect(openDoors(CHAIN, there, wanted)).toEqual([])
  expect(openDoors(CHAIN, there, wantedDoors({ ...PLAIN, udpPort: 1 }, 'input'))).toHaveLength(4)
  expect(shutDoors(CHAIN, there)).toEqual(['delete rule ip filter INPUT handle 9', 'delete rule ip filter INPUT handle 8'])
})

test('no name of a table or chain becomes a word of another meaning', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'Z', '_', '-', '.', ' ', ';', '{', '}', '"', '\n', '#', '$'), minLength: 1, maxLength: 12 })
  fc.assert(fc.property(name, name, (table, chain) => {
    for (const found of foreignChains(`table ip ${table} {\n\tchain ${chain} {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n}\n`)) {
      for (const line of openDoors(found, [], wantedDoors(PLAIN, 'input'))) expect(line).toMatch(/^insert rule ip [A-Za-z][\w.-]* [A-Za-z][\w.-]* (iifname|udp)/)
    }
  }))
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
    foreignChains(text)
    readDoors(text)
  }))
})
