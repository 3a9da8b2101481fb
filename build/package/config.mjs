/**
 * What a packaged Bowline is made of, for electron-builder: files, fuses, targets of each system, names. Windows and macOS packages are signed
 * and notarized with what electron-builder finds in the environment (CSC_LINK, WIN_CSC_LINK, APPLE_API_KEY…), else they are unsigned.
 *
 *   resources/app.asar     bundles and window: all code of the app, under integrity where the system checks it
 *   resources/native/      the add-on, a real file since a library cannot be loaded out of an archive
 *   resources/cli/         the `bowline` command for the system's own Node (Linux packages put a starter into /usr/bin)
 */
import { root } from '../scripts/sources.mjs'

export const APP_ID = 'org.bowline.Bowline'
export const EXECUTABLE = 'bowline-desktop'

/**
 * The binary cannot be used as a plain Node, reads no Node options and no debugger flags, and loads its code from the archive alone.
 * GrantFileProtocolExtraPrivileges: the window comes by a scheme of its own, never by file:.
 */
export const FUSES = {
  runAsNode: false,
  enableCookieEncryption: true,
  enableNodeOptionsEnvironmentVariable: false,
  enableNodeCliInspectArguments: false,
  enableEmbeddedAsarIntegrityValidation: true,
  onlyLoadAppFromAsar: true,
  loadBrowserProcessSpecificV8Snapshot: false,
  grantFileProtocolExtraPrivileges: false,
}

const PROTOCOL = { name: 'Bowline join link', schemes: ['bowline'] }

/** `output` is a folder; `electron` a given runtime {dist, version}, else electron-builder fetches the pinned one. */
export function config(output, electron) {
  return {
    appId: APP_ID,
    productName: 'Bowline',
    copyright: 'Bowline contributors, BSD-3-Clause',
    directories: { output, buildResources: 'build/package' },
    ...(electron ? { electronDist: electron.dist, electronVersion: electron.version } : {}),
    electronLanguages: ['en', 'en-US', 'de', 'fr', 'es', 'ja', 'zh-CN', 'zh_CN'],
    files: ['dist/**', '!dist/.*', '!dist/.*/**', 'LICENSE', 'build/THIRD-PARTY-NOTICES.txt', 'package.json', '!node_modules/**'],
    extraResources: [{ from: 'native', to: 'native', filter: ['bowline.${platform}-${arch}.node'] }],
    extraMetadata: { desktopName: `${APP_ID}.desktop`, dependencies: null, bin: null, allowScripts: null },
    asar: { smartUnpack: false },
    npmRebuild: false,
    electronFuses: FUSES,
    protocols: [PROTOCOL],
    publish: null,
    linux: {
      target: ['AppImage', 'rpm'],
      category: 'Network',
      executableName: EXECUTABLE,
      synopsis: 'Your devices, on one private network',
      maintainer: 'Bowline contributors',
      icon: 'build/icons/linux',
      mimeTypes: ['x-scheme-handler/bowline'],
    },
    // The scripts of the Debian package: before it goes, and once an update is whole.
    rpm: { fpm: [`--before-remove=${root}build/package/service-remove.sh`, `--rpm-posttrans=${root}build/package/service-renew.sh`] },
    win: { target: [{ target: 'nsis', arch: ['x64', 'arm64'] }, { target: 'msi', arch: ['x64', 'arm64'] }], icon: 'build/icons/icon.ico', executableName: 'Bowline' },
    nsis: { oneClick: false, perMachine: false, allowElevation: false, allowToChangeInstallationDirectory: false, deleteAppDataOnUninstall: false },
    msi: { perMachine: true, oneClick: false },
    mac: {
      target: [{ target: 'dmg', arch: ['x64', 'arm64'] }, { target: 'zip', arch: ['x64', 'arm64'] }],
      category: 'public.app-category.utilities',
      icon: 'build/icons/icon.icns',
      hardenedRuntime: true,
      gatekeeperAssess: false,
      entitlements: 'build/package/entitlements.mac.plist',
      entitlementsInherit: 'build/package/entitlements.mac.plist',
    },
    afterPack: 'build/package/after-pack.mjs',
    afterAllArtifactBuild: 'build/package/checksums.mjs',
  }
}
