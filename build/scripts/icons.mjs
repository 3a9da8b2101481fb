/**
 * Draws the icons from renderer/icons/*.svg with a real Chromium, which only developers need: what it writes is committed.
 *
 *   main/app/icons/   tray-NAME-Template.png, …@2x.png (macOS) · tray-NAME-{light,dark}.ico (Windows) · tray-NAME-{light,dark}.png (Linux)
 *                     "dark" is the glyph for a dark panel; app.png is the window's and the notifications'
 *   build/icons/      icon.png, icon.ico, icon.icns, linux/NxN.png: what electron-builder takes
 *
 *   node build/scripts/icons.mjs
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { root } from './sources.mjs'

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path))
const GLYPHS = ['connected', 'connecting', 'disconnected', 'exit-node', 'attention', 'error']
const INK = { light: '#1c232c', dark: '#ffffff' }
const TRAY_ICO = [16, 20, 24, 32]
/** Panels are 16 to 24 px high, twice that on dense displays; each divides it or comes near. */
const LINUX_PX = 48
const APP_PNG = [16, 24, 32, 48, 64, 128, 256, 512, 1024]
const APP_ICO = [16, 24, 32, 48, 64, 128, 256]
const ICNS = [['ic11', 32], ['ic12', 64], ['ic07', 128], ['ic13', 256], ['ic08', 256], ['ic14', 512], ['ic09', 512], ['ic10', 1024]]

const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--headless=new', '--no-sandbox', '--disable-gpu'] })
const page = await browser.newPage()

/** An SVG at a size: the file of it, and its pixels (RGBA, rows from the top). */
async function draw(svg, px) {
  const { png, pixels } = await page.evaluate(async ([text, size]) => {
    const image = new Image()
    image.src = `data:image/svg+xml;base64,${btoa(text)}`
    await image.decode()
    const canvas = Object.assign(document.createElement('canvas'), { width: size, height: size })
    const pen = canvas.getContext('2d')
    pen.drawImage(image, 0, 0, size, size)
    return { png: canvas.toDataURL('image/png').split(',')[1], pixels: btoa(String.fromCharCode(...pen.getImageData(0, 0, size, size).data.subarray(0, size > 128 ? 0 : undefined))) }
  }, [svg.replace(/ width="\d+" height="\d+"/, ` width="${px}" height="${px}"`), px])
  return { px, png: Buffer.from(png, 'base64'), pixels: Buffer.from(pixels, 'base64') }
}

/** One picture of an ICO: a bitmap with its empty mask, or from 256 px on the PNG itself. */
function icoPart({ px, png, pixels }) {
  if (px >= 256) return png
  const head = Buffer.alloc(40)
  head.writeUInt32LE(40, 0)
  head.writeInt32LE(px, 4)
  head.writeInt32LE(px * 2, 8)
  head.writeUInt16LE(1, 12)
  head.writeUInt16LE(32, 14)
  const rows = Buffer.alloc(px * px * 4)
  for (let y = 0; y < px; y++) {
    for (let x = 0; x < px; x++) {
      const [r, g, b, a] = pixels.subarray((y * px + x) * 4)
      rows.set([b, g, r, a], ((px - 1 - y) * px + x) * 4)
    }
  }
  return Buffer.concat([head, rows, Buffer.alloc((Math.ceil(px / 32) * 4) * px)])
}

function ico(drawn) {
  const parts = drawn.map(icoPart)
  const head = Buffer.alloc(6 + 16 * parts.length)
  head.writeUInt16LE(1, 2)
  head.writeUInt16LE(parts.length, 4)
  let at = head.length
  parts.forEach((part, index) => {
    const entry = 6 + 16 * index
    head[entry] = head[entry + 1] = drawn[index].px % 256
    head.writeUInt16LE(1, entry + 4)
    head.writeUInt16LE(32, entry + 6)
    head.writeUInt32LE(part.length, entry + 8)
    head.writeUInt32LE(at, entry + 12)
    at += part.length
  })
  return Buffer.concat([head, ...parts])
}

function icns(drawn) {
  const parts = ICNS.map(([type, px]) => {
    const { png } = drawn.find((one) => one.px === px)
    const head = Buffer.alloc(8)
    head.write(type, 0, 'latin1')
    head.writeUInt32BE(png.length + 8, 4)
    return Buffer.concat([head, png])
  })
  const head = Buffer.alloc(8)
  head.write('icns', 0, 'latin1')
  head.writeUInt32BE(parts.reduce((sum, part) => sum + part.length, 8), 4)
  return Buffer.concat([head, ...parts])
}

const all = (svg, sizes) => Promise.all(sizes.map((px) => draw(svg, px)))
const running = `${root}main/app/icons/`
const packed = `${root}build/icons/`
mkdirSync(running, { recursive: true })
mkdirSync(`${packed}linux`, { recursive: true })

for (const glyph of GLYPHS) {
  const svg = readFileSync(`${root}renderer/icons/tray-${glyph}.svg`, 'utf8')
  const inked = (color) => svg.replaceAll('currentColor', color)
  const [one, two] = await all(inked('#000000'), [16, 32])
  writeFileSync(`${running}tray-${glyph}-Template.png`, one.png)
  writeFileSync(`${running}tray-${glyph}-Template@2x.png`, two.png)
  for (const [panel, color] of Object.entries(INK)) {
    writeFileSync(`${running}tray-${glyph}-${panel}.ico`, ico(await all(inked(color), TRAY_ICO)))
    writeFileSync(`${running}tray-${glyph}-${panel}.png`, (await draw(inked(color), LINUX_PX)).png)
  }
}

const appSvg = readFileSync(`${root}renderer/icons/app.svg`, 'utf8')
const drawn = await all(appSvg, APP_PNG)
for (const { px, png } of drawn) writeFileSync(`${packed}linux/${px}x${px}.png`, png)
writeFileSync(`${packed}icon.png`, drawn.find((one) => one.px === 1024).png)
writeFileSync(`${packed}icon.ico`, ico(drawn.filter((one) => APP_ICO.includes(one.px))))
writeFileSync(`${packed}icon.icns`, icns(drawn))
writeFileSync(`${running}app.png`, drawn.find((one) => one.px === 128).png)
await browser.close()
