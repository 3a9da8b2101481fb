/**
 * Whether the desktop itself is dark, on Linux: the app's own theme says nothing of the panel that the icon stands on.
 *
 *   portal Settings: org.freedesktop.appearance color-scheme = 0 no preference · 1 dark · 2 light
 *
 * Source: XDG Desktop Portal, org.freedesktop.portal.Settings. Without it nothing is told, and the app's theme is all that is known.
 */
import type { SessionBus } from '../session-bus.ts'

const PORTAL = 'org.freedesktop.portal.Desktop'
const SETTINGS = 'org.freedesktop.portal.Settings'
const NAMESPACE = 'org.freedesktop.appearance'
const KEY = 'color-scheme'

export interface PanelThemeDeps {
  readonly bus: Pick<SessionBus, 'call' | 'follow' | 'hasService'>
  /** The value in a variant, or in several. */
  readonly plain: (value: unknown) => unknown
}

/** Tells now and whenever it changes; returns at once. */
export function watchPanelTheme({ bus, plain }: PanelThemeDeps, tell: (dark: boolean) => void): void {
  const take = (value: unknown): void => {
    const scheme = plain(value)
    if (typeof scheme === 'number') tell(scheme === 1)
  }
  const watch = async (): Promise<void> => {
    if (!(await bus.hasService(PORTAL))) return
    await bus.follow(SETTINGS, ({ member, body }) => {
      if (member === 'SettingChanged' && body[0] === NAMESPACE && body[1] === KEY) take(body[2])
    })
    const [value] = await bus.call({ to: PORTAL, path: '/org/freedesktop/portal/desktop', iface: SETTINGS, member: 'Read', signature: 'ss', body: [NAMESPACE, KEY] })
    take(value)
  }
  watch().catch(() => undefined)
}
