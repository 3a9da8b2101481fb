import { describe, expect, test } from 'vitest'
import { bytes, left, outcome, progressLine, stateWords } from '../../../../main/cli/transfers/words.ts'
import type { TransferRow } from '../../../../main/localapi/transfers.ts'

const row = (more: Partial<TransferRow> = {}): TransferRow => ({
  ID: 'a', Batch: 'b', Direction: 'out', Peer: 's2', PeerName: 'desk', Name: 'report.pdf', Kind: 'file', Files: 1, Size: 40_000_000, Done: 16_400_000, State: 'sending', Checked: false, Created: '2026-01-01T00:00:00Z', ...more,
})

describe('sizes and times', () => {
  test.each([[-1, 'size not known'], [0, '0 bytes'], [1, '1 byte'], [999, '999 bytes'], [1_000, '1.0 kB'], [9_949, '9.9 kB'], [9_950, '10 kB'], [999_499, '999 kB'], [999_500, '1.0 MB'], [5_000_000, '5.0 MB'], [1.5e12, '1.5 TB'], [2e15, '2000 TB']])('%d is %s', (count, text) => {
    expect(bytes(count)).toBe(text)
  })

  test.each([[0, '1 s'], [1_400, '1 s'], [99_000, '99 s'], [120_000, '2 min'], [5_400_000, '2 h']])('%d ms is %s', (ms, text) => {
    expect(left(ms)).toBe(text)
  })
})

describe('the line of progress', () => {
  test('has size, rate, time left and path of one', () => {
    expect(progressLine([row({ Rate: 8_100_000, LeftMs: 2_900, Path: { Kind: 'relay', Via: 'ams' } })])).toBe('report.pdf   16 MB of 40 MB (41 %)   8.1 MB/s   3 s left   relayed by ams')
  })

  test('counts several, with what is left of all of them', () => {
    const rows = [row({ ID: '1', State: 'delivered', Done: 40_000_000 }), row({ ID: '2', Rate: 1_000_000, Path: { Kind: 'direct', Via: '' } }), row({ ID: '3', State: 'queued', Done: 0, Name: 'c' })]
    expect(progressLine(rows)).toBe('1 of 3 sent   56 MB of 120 MB (47 %)   1.0 MB/s   64 s left   direct   report.pdf')
  })

  test('says what is waited for while nothing moves, and nothing once all is over', () => {
    expect(progressLine([row({ State: 'waiting-device' })])).toBe('report.pdf   Waiting for desk')
    expect(progressLine([row({ State: 'paused' })])).toBe('report.pdf   Paused at 41 %')
    expect(progressLine([row({ State: 'delivered' }), row({ State: 'stopped' })])).toBe('')
  })

  test('knows no share of what has no known size', () => {
    expect(progressLine([row({ Size: -1, Rate: 10 })])).toBe('report.pdf   16 MB   10 bytes/s')
    expect(progressLine([row({ Size: 0, Done: 0, State: 'checking' })])).toBe('report.pdf   Checking')
  })
})

describe('what became of it', () => {
  test('says checked only where it was, and what a folder was packed as', () => {
    expect(outcome(row({ State: 'delivered', Checked: true, Path: { Kind: 'peer-relay', Via: 'nas' } }))).toBe('report.pdf: delivered to desk and checked there (40 MB, through nas)')
    expect(outcome(row({ State: 'delivered', Kind: 'archive', Name: 'photos', Files: 12 }))).toBe('photos: delivered to desk, packed as photos.zip (40 MB, 12 files)')
    expect(outcome(row({ State: 'stopped', Why: { Code: 'peer-no-space', Text: 'the disk of the device has not enough room.' } }))).toBe('report.pdf: not sent to desk: the disk of the device has not enough room')
    expect(outcome(row({ State: 'canceled' }))).toBe('report.pdf: canceled')
  })

  test('holds nothing that could steer a terminal, whatever another device is called', () => {
    const bad = row({ Name: 'a\u001b[2J\u202eb', PeerName: 'x\ny', Why: { Code: 'x', Text: 'z\u0007' }, State: 'stopped' })
    // eslint-disable-next-line no-control-regex
    expect(outcome(bad) + stateWords(bad) + progressLine([{ ...bad, State: 'sending' }])).not.toMatch(/[\u0000-\u001f\u202e]/)
  })
})
