import { defineConfig } from 'vitest/config'

/** The hermetic suite: pure code, simulations, and the engine on loopback. No real peers. */
export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    include: ['test/{arch,unit,vectors,sim,fuzz,ui}/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    pool: 'forks',
    reporters: ['default'],
  },
})
