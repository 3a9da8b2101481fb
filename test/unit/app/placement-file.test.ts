import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PlacementFile } from '../../../main/app/placement-file.ts'

const place = { x: 1, y: 2, width: 900, height: 600, display: 3, maximized: false }
let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'bowline-place-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

describe('the file of the window\'s place', () => {
  it('gives back what was kept, and leaves nothing half written beside it', () => {
    new PlacementFile(join(dir, 'new', 'window.json')).save(place)
    expect(new PlacementFile(join(dir, 'new', 'window.json')).load()).toEqual(place)
    expect(readdirSync(join(dir, 'new'))).toEqual(['window.json'])
  })

  it.each(['', '{', '[]', '"x"', JSON.stringify({ ...place, x: '0' }), `${' '.repeat(5000)}${JSON.stringify(place)}`])('takes %j for nothing', (text) => {
    writeFileSync(join(dir, 'window.json'), text)
    expect(new PlacementFile(join(dir, 'window.json')).load()).toBeUndefined()
  })

  it('says nothing when it cannot be written', () => {
    writeFileSync(join(dir, 'file'), '')
    expect(() => new PlacementFile(join(dir, 'file', 'window.json')).save(place)).not.toThrow()
  })
})
