import { describe, expect, test } from 'vitest'
import { Health } from '../../../main/engine/health/health.ts'
import { HandClock } from '../../sim/clock.ts'

const body = (Text: string, Severity: 'high' | 'low' = 'low') => ({ Severity, Title: 'T', Text })

describe('health', () => {
  test('a warning keeps its beginning while it stays, and is told only when it changes', () => {
    const clock = new HandClock()
    const health = new Health({ clock })
    let told = 0
    health.onChange(() => told++)
    health.setGroup('a', { one: body('1') })
    const since = health.state().Warnings!['one']!.BrokenSince
    clock.advance(5000)
    health.setGroup('a', { one: body('1') })
    expect(told).toBe(1)
    health.setGroup('a', { one: body('1, and worse') })
    expect(told).toBe(2)
    expect(health.state().Warnings!['one']).toMatchObject({ BrokenSince: since, Text: '1, and worse' })
  })

  test('groups do not disturb each other, the gravest is said first, and nothing wrong is null', () => {
    const health = new Health({ clock: new HandClock() })
    health.setGroup('a', { one: body('small') })
    health.setGroup('b', { two: body('grave', 'high') })
    expect(health.texts()).toEqual(['grave', 'small'])
    health.setGroup('b', {})
    health.setGroup('a', {})
    expect(health.state()).toEqual({ Warnings: null })
  })
})
