import fc from 'fast-check'
import { expect, test } from 'vitest'
import { inHostsFile, parseHostsFile } from '../../../../main/engine/core/dns/hosts-file.ts'

test('names and aliases have the addresses of their lines, in order, remarks and nonsense left out', () => {
  const file = parseHostsFile('# all\n127.0.0.1\tlocalhost\n::1 localhost ip6-localhost\r\n10.0.0.1 NAS.Example. nas # the box\n2001:DB8::1 nas\nnonsense nas\n10.0.0.1 nas\nfe80::1%eth0 nas\n10.0.0.9\n')
  expect(inHostsFile(file, 'nas.example')).toEqual(['10.0.0.1'])
  expect(inHostsFile(file, 'Nas')).toEqual(['10.0.0.1', '2001:db8::1'])
  expect(inHostsFile(file, 'localhost')).toEqual(['127.0.0.1', '::1'])
  expect(inHostsFile(file, 'ip6-localhost.')).toEqual(['::1'])
  expect(inHostsFile(file, 'other')).toBeUndefined()
})

test('localhost is this computer whatever the file says', () => {
  expect(inHostsFile(parseHostsFile(''), 'localhost')).toEqual(['127.0.0.1', '::1'])
  expect(inHostsFile(parseHostsFile(''), 'app.localhost')).toEqual(['127.0.0.1', '::1'])
})

test('any text is a file', () => {
  fc.assert(fc.property(fc.string({ maxLength: 300 }), (text) => parseHostsFile(text) instanceof Map))
})
