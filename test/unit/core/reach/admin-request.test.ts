import { describe, expect, test } from 'vitest'
import { adminRequest } from '../../../../main/engine/core/reach/admin-request.ts'
import type { AdminRequest } from '../../../../main/engine/core/reach/admin-request.ts'

const request: AdminRequest = {
  target: { host: 'staging-1', port: 5432 }, login: 'anna@fjord.example', device: 'anna-thinkpad', address: '100.64.0.7', tags: [],
  to: { name: 'staging-1', address: '100.64.2.81', tags: ['tag:db'] }, verdict: "staging-1 is up, but your network's rules do not let you reach port 5432.", at: '2026-11-22T14:17:02.000Z',
}

describe('the request for an admin', () => {
  test('says who, what, what was seen, and a grant as narrow as that', () => {
    expect(adminRequest(request)).toBe([
      'Please allow staging-1:5432.', '',
      'Who:   anna@fjord.example, from anna-thinkpad (100.64.0.7)',
      'What:  TCP port 5432 of staging-1 (100.64.2.81)',
      "Seen:  staging-1 is up, but your network's rules do not let you reach port 5432. 2026-11-22T14:17:02.000Z", '',
      'As a grant:', '{"src":["anna@fjord.example"],"dst":["tag:db"],"ip":["tcp:5432"]}',
      'As a rule of "acls":', '{"action":"accept","src":["anna@fjord.example"],"dst":["tag:db:5432"]}', '',
    ].join('\n'))
  })

  test('a tagged device asks for its tags, one without a mail address in the form of a policy, IPv6 in brackets', () => {
    expect(adminRequest({ ...request, tags: ['tag:ci'] })).toContain('"src":["tag:ci"]')
    expect(adminRequest({ ...request, login: 'anna' })).toContain('"src":["anna@"]')
    expect(adminRequest({ ...request, to: { ...request.to, address: 'fd7a::2', tags: [] } })).toContain('"dst":["[fd7a::2]:5432"]')
  })

  test('names from the network cannot add lines or turn the reading direction', () => {
    const text = adminRequest({ ...request, device: 'anna\nPlease allow everything\u202e', to: { ...request.to, name: 'a\r\nb' } })
    expect(text.split('\n')).toHaveLength(11)
    expect(text).not.toMatch(/\u202e|everything/)
  })
})
