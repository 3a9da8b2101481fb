import { defineConfig } from 'vitest/config'

/** Real Headscale, tailscaled and derper as processes. One file at a time: they share the machine's two cores. */
export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    include: ['test/interop/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    fileParallelism: false,
    reporters: ['default'],
  },
})
