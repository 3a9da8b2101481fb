/** Who may write to a service: by name, by number, by group, as the system's lists say at that moment. */
import { describe, expect, test } from 'vitest'
import { isInGroup, mayWrite, type Peer } from '../../../main/engine/server/caller.ts'

const lists = {
  passwd: () => 'root:x:0:0::/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/sh\nben:x:1001:970::/home/ben:/bin/sh\neve:x:1002:1002::/home/eve:/bin/sh\n',
  group: () => 'root:x:0:eve\nbowline:x:970:anna,ghost\nbowline2:x:971:eve\nempty:x:972:\n',
}

describe('a group', () => {
  test.each([
    ['a member of its list', 1000, 1000, true],
    ['a user whose own group it is', 1001, 1001, true],
    ['a process that has it as its group', 1002, 970, true],
    ['a member of one with a longer name', 1002, 1002, false],
    ['a user that the list of users does not have', 4242, 4242, false],
  ])('holds %s', (_what, uid, gid, expected) => {
    expect(isInGroup(uid, gid, 'bowline', lists)).toBe(expected)
  })

  test.each(['nobody-has-it', 'empty', 'root', ''])('%s gives nobody anything', (group) => {
    expect(isInGroup(1002, 1002, group, lists)).toBe(false)
  })

  test('lists that are rubbish give nobody anything', () => {
    expect(isInGroup(1000, 1000, 'bowline', { passwd: () => ':::\n\n', group: () => 'bowline\nbowline:x\nbowline:x:abc:anna' })).toBe(false)
  })
})

test('the users that a service was installed for may write, others may not', () => {
  const caller = (uid: number): Peer => ({ kind: 'known', credentials: { pid: 1, uid, gid: uid } })
  const rights = { operators: ['4242'], group: '' }
  expect([4242, 4243].map((uid) => mayWrite(caller(uid), '', rights))).toEqual([true, false])
  expect(mayWrite({ kind: 'unknown' }, '', rights)).toBe(false)
})
