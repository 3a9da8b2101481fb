/**
 * The service as a daemon of launchd (macOS). Pure; held by golden tests, never run on a Mac yet: `bowline service install` shows it with --plan
 * and installs nothing there.
 *
 * Source: launchd.plist(5). KeepAlive with SuccessfulExit false starts it again after a failure alone; launchd waits ten seconds between starts.
 */
import { LAUNCHD_LABEL } from '../../client/service-place.ts'
import { daemonWords, MARK, type ServicePlan, type ServiceShape } from './plan.ts'

export const PLIST_PATH = `/Library/LaunchDaemons/${LAUNCHD_LABEL}.plist`

export function plistText(shape: ServiceShape): string {
  const words = [...shape.command, ...daemonWords(shape)].map((text) => `    <string>${escaped(text)}</string>\n`).join('')
  return `<?xml version="1.0" encoding="UTF-8"?>
<!-- ${MARK} -->
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${LAUNCHD_LABEL}</string>
  <key>ProgramArguments</key>
  <array>
${words}  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ProcessType</key>
  <string>Interactive</string>
  <key>StandardErrorPath</key>
  <string>/var/log/bowline.log</string>
</dict>
</plist>
`
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

export function launchdPlan(shape: ServiceShape): ServicePlan {
  return {
    files: [{ path: PLIST_PATH, mode: 0o644, text: plistText(shape) }],
    start: [['launchctl', 'bootstrap', 'system', PLIST_PATH], ['launchctl', 'enable', `system/${LAUNCHD_LABEL}`], ['launchctl', 'kickstart', `system/${LAUNCHD_LABEL}`]],
    stop: [['launchctl', 'bootout', `system/${LAUNCHD_LABEL}`]],
    forget: [],
  }
}
