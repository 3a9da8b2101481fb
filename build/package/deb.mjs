/**
 * A Debian package of the unpacked app, made by dpkg-deb: electron-builder's own way fetches a tool to do the same.
 *
 *   /opt/Bowline/                              the app; chrome-sandbox is setuid root, as Chromium wants it where user namespaces are closed
 *   /usr/bin/bowline                           starts the command on the system's Node
 *   /usr/bin/bowline-desktop                   the app
 *   /usr/share/applications/ICON.desktop …     entry with the scheme of join links, icons, licences
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, cpSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { APP_ID, EXECUTABLE } from './config.mjs'
import { desktopEntry } from './desktop-entry.mjs'
import { root } from '../scripts/sources.mjs'

/** What the runtime links to, and what the app talks to when it is there. Names of Debian 12 and later, with those before the change of time_t. */
const DEPENDS = [
  'libc6 (>= 2.34)', 'libgtk-3-0t64 | libgtk-3-0', 'libnss3', 'libasound2t64 | libasound2', 'libgbm1', 'libxss1', 'libnotify4', 'libatspi2.0-0t64 | libatspi2.0-0', 'libxtst6', 'xdg-utils',
]
const RECOMMENDS = ['libsecret-1-0', 'gnome-keyring | libkf5wallet-bin', 'nodejs (>= 20.18)', 'libayatana-appindicator3-1']

/** Starts the command on the system's Node; the app's own binary cannot be used as one. */
const COMMAND = `#!/bin/sh
# The bowline command, on the system's Node.
node=$(command -v node || command -v nodejs) || { echo "bowline needs Node.js 20.18 or newer: apt install nodejs" >&2; exit 1; }
exec "$node" /opt/Bowline/resources/cli/command.mjs "$@"
`

/** Makes the package and answers its path. `unpacked` is electron-builder's folder; `store` = without compression, in seconds. */
export function makeDeb(unpacked, output, arch, store) {
  const { version, description, license } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
  const architecture = { x64: 'amd64', arm64: 'arm64' }[arch]
  const tree = join(output, 'deb-tree')
  rmSync(tree, { recursive: true, force: true })
  const app = join(tree, 'opt/Bowline')
  mkdirSync(dirname(app), { recursive: true })
  cpSync(unpacked, app, { recursive: true, verbatimSymlinks: true })
  put(tree, 'usr/bin/bowline', COMMAND, 0o755)
  symlinkSync(`/opt/Bowline/${EXECUTABLE}`, join(tree, 'usr/bin', EXECUTABLE))
  put(tree, `usr/share/applications/${APP_ID}.desktop`, desktopEntry(`/usr/bin/${EXECUTABLE}`))
  icons(tree)
  mkdirSync(join(tree, 'usr/share/doc/bowline'), { recursive: true })
  copyFileSync(`${root}LICENSE`, join(tree, 'usr/share/doc/bowline/copyright'))
  copyFileSync(`${root}build/THIRD-PARTY-NOTICES.txt`, join(tree, 'usr/share/doc/bowline/THIRD-PARTY-NOTICES.txt'))
  openModes(tree)
  chmodSync(join(app, 'chrome-sandbox'), 0o4755)
  const files = filesOf(tree)
  put(tree, 'DEBIAN/md5sums', files.map((file) => `${createHash('md5').update(readFileSync(join(tree, file))).digest('hex')}  ${file}\n`).join(''))
  put(tree, 'DEBIAN/control', control({ version, architecture, description, license, sizeKb: Math.ceil(files.reduce((sum, file) => sum + statSync(join(tree, file)).size, 0) / 1024) }))
  put(tree, 'DEBIAN/postinst', withMenus(script('service-renew.sh')), 0o755)
  put(tree, 'DEBIAN/prerm', script('service-remove.sh'), 0o755)
  put(tree, 'DEBIAN/postrm', withMenus(PURGE), 0o755)
  const deb = join(output, `bowline_${version}_${architecture}.deb`)
  const { status } = spawnSync('dpkg-deb', ['--root-owner-group', ...(store ? ['-Znone'] : ['-Zxz', '-z3']), '--build', tree, deb], { stdio: 'inherit' })
  if (status !== 0) throw new Error('dpkg-deb failed, see above')
  rmSync(tree, { recursive: true, force: true })
  return deb
}

/** One of the scripts beside this file, which the RPM package has too. */
const script = (name) => readFileSync(`${root}build/package/${name}`, 'utf8')

/** What the service kept goes with the package's settings; its sign-in stays in the list of its server. */
const PURGE = `#!/bin/sh
if [ "$1" = purge ]; then rm -rf /var/lib/bowline /etc/default/bowline; fi
exit 0
`

/** Makes entry, scheme and icons known first, where the desktop has the tools for it. */
function withMenus(text) {
  return text.replace('#!/bin/sh\n', `#!/bin/sh
if command -v update-desktop-database >/dev/null 2>&1; then update-desktop-database -q /usr/share/applications || true; fi
if command -v gtk-update-icon-cache >/dev/null 2>&1; then gtk-update-icon-cache -q /usr/share/icons/hicolor || true; fi
`)
}

function control({ version, architecture, description, license, sizeKb }) {
  return `Package: bowline
Version: ${version}
Architecture: ${architecture}
Maintainer: Bowline contributors <noreply@bowline.invalid>
Installed-Size: ${sizeKb}
Depends: ${DEPENDS.join(', ')}
Recommends: ${RECOMMENDS.join(', ')}
Section: net
Priority: optional
Description: ${description}
 Window, tray and command line for networks of one's own devices; runs without
 admin rights. Licence: ${license}.
`
}

function put(tree, path, text, mode = 0o644) {
  mkdirSync(dirname(join(tree, path)), { recursive: true })
  writeFileSync(join(tree, path), text)
  chmodSync(join(tree, path), mode)
}

function icons(tree) {
  const folder = `${root}build/icons/linux`
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const size = /^(\d+x\d+)\.png$/.exec(name)?.[1]
    if (size === undefined) continue
    const place = join(tree, 'usr/share/icons/hicolor', size, 'apps')
    mkdirSync(place, { recursive: true })
    copyFileSync(join(folder, name), join(place, `${APP_ID}.png`))
  }
  const scalable = join(tree, 'usr/share/icons/hicolor/scalable/apps')
  mkdirSync(scalable, { recursive: true })
  copyFileSync(`${root}renderer/icons/app.svg`, join(scalable, `${APP_ID}.svg`))
}

/** Readable by all, writable by the owner alone, whatever the builder's umask was. */
function openModes(folder) {
  chmodSync(folder, 0o755)
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) openModes(path)
    else if (entry.isFile()) chmodSync(path, statSync(path).mode & 0o100 ? 0o755 : 0o644)
  }
}

/** All plain files, as paths below the tree. */
function filesOf(tree) {
  return readdirSync(tree, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(tree.length + 1)).toSorted()
}
