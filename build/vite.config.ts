import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const root = new URL('..', import.meta.url).pathname

/** The window's bundle: dist/renderer, all files local, no inline script or style, so that the strictest policy fits. */
export default defineConfig({
  root: `${root}renderer`,
  base: './',
  plugins: [react()],
  build: {
    outDir: `${root}dist/renderer`,
    emptyOutDir: true,
    target: 'chrome130',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
})
