/**
 * After the app lies unpacked and before it is signed: the command beside the archive on Linux, where the system's own Node runs it, and nothing
 * of the runtime's own start page.
 */
import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../scripts/sources.mjs'

export default function afterPack({ appOutDir, electronPlatformName, packager }) {
  const resources = packager.getResourcesDir(appOutDir)
  rmSync(join(resources, 'default_app.asar'), { force: true })
  for (const name of readdirSync(appOutDir)) if (name.startsWith('.')) rmSync(join(appOutDir, name), { recursive: true })
  if (electronPlatformName !== 'linux') return
  const cli = join(resources, 'cli')
  for (const name of readdirSync(`${root}dist`).filter((file) => /^bowline.*\.mjs$/.test(file) || file === 'renderer')) {
    cpSync(join(root, 'dist', name), join(cli, name), { recursive: true })
  }
  writeFileSync(join(cli, 'command.mjs'), "import { main } from './bowline.mjs'\nprocess.exitCode = await main(process.argv.slice(2))\n")
}
