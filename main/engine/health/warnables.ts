/**
 * Everything that can be wrong, one row each: how grave, what it is called, what is said, and which graver trouble hides it.
 *
 * A row's text says what happened, so what it means, so what to do or what still works. Codes and argument names are the
 * stock client's where it has the same trouble; the others are ours. A new row needs nothing else: its owner calls
 * `set(code, args)` while it lasts and `clear(code)` after. One owner a code.
 *
 * Source of the stock codes: tailscale tsconst/health.go, health/warnings.go, health/args.go (1.103).
 */

/** What fills a text. Values may come from others: shown as text only. */
export type WarningArgs = Readonly<Record<string, string>>

export interface Warnable {
  readonly severity: 'high' | 'medium' | 'low'
  readonly title: string
  readonly text: (args: WarningArgs) => string
  /** Nothing, or not everything, gets through while it lasts. */
  readonly impactsConnectivity?: boolean
  /** Codes of the table: while one of them is wrong, this is but its consequence and not told. */
  readonly dependsOn?: readonly string[]
  /** Told only when it has lasted so long. */
  readonly visibleAfterMs?: number
}

const because = (error: string | undefined): string => (error === undefined || error === '' ? '' : `: ${error}`)

export const WARNABLES = {
  'wantrunning-false': {
    severity: 'low', title: 'Disconnected',
    text: () => 'Bowline is disconnected. This device keeps its place on the network.',
  },
  'network-status': {
    severity: 'medium', title: 'No network', impactsConnectivity: true, dependsOn: ['wantrunning-false'], visibleAfterMs: 5_000,
    text: () => 'This computer has no network connection, so no other device can be reached. Bowline goes on by itself when there is one.',
  },
  'captive-portal-detected': {
    severity: 'high', title: 'Sign in to this network', impactsConnectivity: true, dependsOn: ['network-status', 'wantrunning-false'],
    text: () => 'This network holds traffic back until somebody signs in. Open any web page in a browser and sign in there; Bowline then goes on by itself.',
  },
  'login-state': {
    severity: 'medium', title: 'Signed out', impactsConnectivity: true, dependsOn: ['wantrunning-false'],
    text: (args) => (args['error'] ? `Sign-in failed${because(args['error'])}` : `You are signed out${because(args['why'])}`),
  },
  'key-expired': {
    severity: 'high', title: 'Sign-in has ended', impactsConnectivity: true, dependsOn: ['wantrunning-false'],
    text: () => 'Your sign-in has ended. Nothing gets through until you sign in again.',
  },
  'key-expires-soon': {
    severity: 'low', title: 'Sign-in ends soon', dependsOn: ['wantrunning-false', 'key-expired', 'login-state'],
    text: (args) => `Your sign-in ends at ${args['expiry'] ?? 'an unknown time'}. Sign in again before then and nothing is interrupted.`,
  },
  'not-in-map-poll': {
    severity: 'medium', title: 'Server not reachable', dependsOn: ['network-status', 'captive-portal-detected', 'wantrunning-false'],
    text: (args) => `The server cannot be reached${because(args['error'])}. It is tried again by itself.${args['carries'] === 'true' ? ' Existing connections continue.' : ''}`,
  },
  'saved-map': {
    severity: 'low', title: 'Working from the saved list', dependsOn: ['wantrunning-false'],
    text: (args) => `The list of devices is the one saved at ${args['saved-at'] ?? ''}; the server has not been reached since the engine started.`,
  },
  'policy-refused': {
    severity: 'medium', title: 'Device policy not followed',
    text: (args) => `${args['error'] ?? 'The device policy cannot be read.'} What was followed of it before stays in force until the engine ends.`,
  },
  'policy-partly': {
    severity: 'low', title: 'Parts of the device policy are not followed',
    text: (args) => `Parts of the device policy are not followed${because(args['error'])}`,
  },
  'policy-other-server': {
    severity: 'medium', title: 'Not the server of the device policy',
    text: (args) => `This account is signed in at ${args['used'] ?? 'another server'}, while the device policy names ${args['server'] ?? 'another'}. Sign out, and sign in there.`,
  },
  'clock-wrong': {
    severity: 'medium', title: 'Clock is wrong',
    text: (args) => `This computer's clock is ${args['skew'] ?? 'wrong'}. Set it: certificates and sign-ins may be refused until then.`,
  },
  'tls-connection-failed': {
    severity: 'medium', title: 'Encrypted connection failed', dependsOn: ['network-status', 'blockblame-mitm-detected'],
    text: (args) => `No encrypted connection with ${args['server-name'] ?? 'the server'}${because(args['error'])}`,
  },
  'blockblame-mitm-detected': {
    severity: 'high', title: 'Connection is intercepted', impactsConnectivity: true, dependsOn: ['network-status'],
    text: (args) => `Something between here and ${args['server-name'] ?? 'the server'} opens encrypted connections: it shows a certificate of ${args['manufacturer'] ?? 'somebody else'}. Use another network, or ask whoever runs this one.`,
  },
  'proxy-failed': {
    severity: 'medium', title: 'Proxy does not work', dependsOn: ['network-status'],
    text: (args) => `The relay ${args['server-name'] ?? ''} cannot be reached${because(args['error'])}`,
  },
  'no-derp-home': {
    severity: 'medium', title: 'No relay', impactsConnectivity: true, dependsOn: ['network-status', 'captive-portal-detected', 'wantrunning-false'], visibleAfterMs: 10_000,
    text: () => 'No relay of the network can be reached, so devices behind other routers may not find this one. Direct connections continue. Check that this network lets web traffic out.',
  },
  'no-derp-connection': {
    severity: 'medium', title: 'Relay not reachable', impactsConnectivity: true, dependsOn: ['network-status', 'captive-portal-detected', 'wantrunning-false', 'no-derp-home'], visibleAfterMs: 10_000,
    text: (args) => `The relay ${args['derp-region-name'] || args['derp-region-id'] || ''} cannot be reached. It is tried again by itself; direct connections continue.`,
  },
  'udp-blocked': {
    severity: 'low', title: 'No direct connections here', dependsOn: ['network-status', 'captive-portal-detected', 'wantrunning-false', 'no-derp-home', 'no-derp-connection'], visibleAfterMs: 10_000,
    text: (args) => `This network lets no UDP out, so everything goes through the relay ${args['derp-region-name'] || args['derp-region-id'] || ''}: it works, only slower. Another network, or UDP allowed out of this one, makes direct connections possible.`,
  },
  'derp-region-error': {
    severity: 'low', title: 'Relay reports a problem', dependsOn: ['network-status', 'wantrunning-false'],
    text: (args) => `The relay ${args['derp-region-name'] || args['derp-region-id'] || ''} reports${because(args['error'])}. If it lasts, tell whoever runs it.`,
  },
  'other-vpn': {
    severity: 'low', title: 'Another VPN is on', dependsOn: ['wantrunning-false'],
    text: (args) => `${args['vpns'] ?? 'Another VPN'} is on beside Bowline. They get along: Bowline changes nothing of this computer's network, and programs reach this network through its proxies.${
      args['carries'] ? ` ${args['carries']} carries everything else, Bowline's own connections too, so direct paths may be slower or not possible.` : ''}${
      args['range'] ? ` ${args['range']} uses addresses of the same range: in Bowline's proxies they mean devices of this network, everywhere else the other one's.` : ''}`,
  },
  'range-overlap': {
    severity: 'low', title: 'This network uses the same addresses', dependsOn: ['wantrunning-false', 'network-status'],
    text: (args) => `The network here (${args['interface'] ?? 'an interface'}: ${args['network'] ?? '100.64.0.0/10'}) gives out addresses of 100.64.0.0/10, the range that devices have. Bowline goes on: in its proxies such an address means a device, everywhere else something on the network here. Where that hides what you need, use the device's name or IPv6 address, or ask whoever runs the server for another range.`,
  },
  'routes-overlap': {
    severity: 'low', title: 'A network is not used here', dependsOn: ['wantrunning-false'],
    text: (args) => `${args['networks'] ?? 'A network'} behind another device is not used while this computer is on the same addresses itself (${args['interface'] ?? 'here'}): what is near goes first. It is used again by itself on another network. A 4via6 address reaches it from here too.`,
  },
  'exit-node-blocked': {
    severity: 'high', title: 'Internet traffic is blocked', impactsConnectivity: true, dependsOn: ['wantrunning-false'],
    text: (args) => `Traffic to the internet is ${args['error'] ?? 'blocked'}. Other devices can be reached. Choose another exit node, or none: bowline exit-node list`,
  },
  'exit-node-paused': {
    severity: 'medium', title: 'Internet traffic goes past the exit node', dependsOn: ['wantrunning-false'],
    text: (args) => `Traffic to the internet goes out directly${because(args['error'])}${args['until'] === undefined ? '.' : `, until ${args['until']}. End that with: bowline exit-node resume`}`,
  },
  'exit-node-replaced': {
    severity: 'low', title: 'Another exit node is used', dependsOn: ['wantrunning-false'],
    text: (args) => `Traffic to the internet goes through ${args['exit-node'] ?? 'another device'}${because(args['error'])}. It goes back by itself.`,
  },
  'exit-node-holds-portal': {
    severity: 'high', title: 'Sign in to this network', impactsConnectivity: true, dependsOn: ['wantrunning-false'],
    text: (args) => `This network wants a sign-in, and its page cannot be opened through the exit node ${args['exit-node'] ?? ''}. Pause the exit node for this network, sign in, and it is used again by itself: bowline exit-node pause`,
  },
  'invalid-packet-filter': {
    severity: 'high', title: 'Rules refused', dependsOn: ['wantrunning-false'],
    text: () => 'The server sent rules that would let in devices it has not vouched for. They were refused, and nothing may come in.',
  },
  'routes-not-approved': {
    severity: 'low', title: 'Waiting for approval', dependsOn: ['wantrunning-false', 'login-state', 'not-in-map-poll'], visibleAfterMs: 60_000,
    text: (args) => `This device offers ${args['routes'] ?? 'networks'}, and the server has not approved it, so nobody uses it. Whoever runs the server approves it, on Headscale with: ${args['command'] ?? ''}`,
  },
  'offer-shields-up': {
    severity: 'medium', title: 'Offered and shut', dependsOn: ['wantrunning-false'],
    text: () => 'Other devices are to use this one as their way to networks or to the internet, but it lets nothing in while shields are up. Turn one of the two off.',
  },
  'offer-no-way-out': {
    severity: 'medium', title: 'Nothing to offer', dependsOn: ['wantrunning-false', 'network-status'], visibleAfterMs: 10_000,
    text: (args) => `Other devices are to reach ${args['routes'] ?? 'networks'} through this one, but it has no address of that kind itself. Connect it to a network that has, or stop offering it.`,
  },
  'machine-failed': {
    severity: 'high', title: 'Not on the whole computer', dependsOn: ['wantrunning-false'],
    text: (args) => `The whole computer was to be on the network, and is not${because(args['error'])} Programs still get there by the proxies. It is tried again by itself.`,
  },
  'machine-holding': {
    severity: 'high', title: 'Traffic is held back', impactsConnectivity: true, dependsOn: ['wantrunning-false'],
    text: (args) => `An exit node is chosen and the tunnel cannot be used, so nothing goes out to the internet${because(args['error'])} It is tried again by itself; to let traffic out, choose no exit node.`,
  },
  'machine-problem': {
    severity: 'medium', title: 'Something of the system is not as it should be', dependsOn: ['wantrunning-false', 'machine-failed', 'machine-holding'],
    text: (args) => args['error'] ?? 'Something of the system is not as it should be.',
  },
  'echo-not-passed': {
    severity: 'low', title: 'Pings are not passed on', dependsOn: ['wantrunning-false'],
    text: () => 'Devices that reach others through this one get no answers to ping: the system lets this program send none, and there is no ping program that may. Everything else works.',
  },
  'packet-thread': {
    severity: 'high', title: 'Engine stopped', impactsConnectivity: true,
    text: (args) => `The part that moves packets has stopped${because(args['error'])}. Start the engine again.`,
  },
  'apply-disk-config': {
    severity: 'medium', title: 'Configuration not applied',
    text: (args) => `The configuration file was not applied${because(args['error'])}`,
  },
  'state-store-health': {
    severity: 'high', title: 'Saved state cannot be read', impactsConnectivity: true,
    text: (args) => `What was saved cannot be read${because(args['error'])}. Nothing of it was changed.`,
  },
  'state-not-saved': {
    severity: 'high', title: 'Settings are not saved',
    text: (args) => `${args['error'] ?? 'The settings could not be written.'} What is set now holds until the engine ends.`,
  },
  'state-recovered': {
    severity: 'medium', title: 'A damaged file was kept aside',
    text: (args) => args['error'] ?? 'A saved file was damaged; the copy from before is used.',
  },
  'secret-store-plain': {
    severity: 'low', title: 'Keys are kept in a file',
    text: (args) => `This computer offers no safe place for secrets${because(args['error'])}. The keys of this device are in a file that only you can read.`,
  },
} as const satisfies Readonly<Record<string, Warnable>>

export type WarnableCode = keyof typeof WARNABLES
