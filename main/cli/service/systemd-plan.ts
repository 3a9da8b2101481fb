/**
 * The service as a unit of systemd. Pure.
 *
 * What the engine needs of the system, and nothing else: network rights, the tunnel device, /etc (names), /proc/sys/net (forwarding), reading
 * what callers that are root name, running ip and nft. Not closed: /etc and /proc/sys (see there), memory that is written and run (the
 * JavaScript engine compiles), the list of processes (who holds a port), the host's name (it is told to the network), /tmp (root may name files
 * there). It is never given up: while an exit node is chosen, nothing goes out before it is back.
 *
 * Ready means: the socket answers; ExecStartPost waits for that. After a failure the clean-up leaves what keeps traffic in.
 */
import { UNIT_NAME } from '../../client/service-place.ts'
import { daemonWords, MARK, type ServicePlan, type ServiceShape } from './plan.ts'

export const UNIT_PATH = `/etc/systemd/system/${UNIT_NAME}`

const CAPABILITIES = 'CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE CAP_DAC_READ_SEARCH'

export function unitText(shape: ServiceShape): string {
  const command = shape.command.map(word).join(' ')
  return `# ${MARK}. It writes this anew; changes of your own belong to: systemctl edit bowline
[Unit]
Description=Bowline, this computer on its private network
Wants=network-pre.target
After=network-pre.target NetworkManager.service systemd-resolved.service
StartLimitIntervalSec=0

[Service]
Type=exec
EnvironmentFile=-/etc/default/bowline
ExecStart=${command} ${daemonWords(shape).map(word).join(' ')} $FLAGS
ExecStartPost=${command} service ready ${word(`--socket=${shape.socket}`)}
ExecStopPost=${command} daemon --cleanup
Restart=on-failure
RestartSec=1
TimeoutStartSec=90
TimeoutStopSec=20
RuntimeDirectory=bowline
RuntimeDirectoryMode=0755
RuntimeDirectoryPreserve=yes
StateDirectory=bowline
StateDirectoryMode=0700

CapabilityBoundingSet=${CAPABILITIES}
NoNewPrivileges=yes
DevicePolicy=closed
DeviceAllow=/dev/net/tun rw
ProtectSystem=yes
ProtectHome=read-only
ProtectClock=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`
}

/** A word of a command line, quoted where systemd would see more in it. */
function word(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('%', '%%').replaceAll('$', '$$$$').replaceAll('"', '\\"')
  return /^[\w@%+=:,./$-]+$/.test(text) && escaped === text ? text : `"${escaped}"`
}

export function systemdPlan(shape: ServiceShape): ServicePlan {
  return {
    files: [{ path: UNIT_PATH, mode: 0o644, text: unitText(shape) }],
    start: [['systemctl', 'daemon-reload'], ['systemctl', 'enable', UNIT_NAME], ['systemctl', 'restart', UNIT_NAME]],
    stop: [['systemctl', 'disable', '--now', UNIT_NAME]],
    forget: [['systemctl', 'daemon-reload'], ['systemctl', 'reset-failed', UNIT_NAME]],
  }
}
