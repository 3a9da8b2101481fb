/**
 * Where the small window stands: beside the tray's icon, whole on the display, on the side that the taskbar leaves. Pure; in pixels of
 * the desktop.
 */
export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

const GAP = 8

/** Top left corner of a window of that size; `area` is what the taskbar leaves of the icon's display. */
export function placeSmall(icon: Box, area: Box, size: { readonly width: number; readonly height: number }): { readonly x: number; readonly y: number } {
  const across = icon.x + icon.width / 2 - size.width / 2
  const below = icon.y + icon.height / 2 < area.y + area.height / 2
  const down = below ? icon.y + icon.height : icon.y - size.height
  return { x: Math.round(within(across, area.x, area.width - size.width)), y: Math.round(within(down, area.y, area.height - size.height)) }
}

/** Between both ends with a gap; a window that does not fit begins at the first. */
const within = (at: number, from: number, room: number): number => Math.max(from, Math.min(Math.max(at, from + GAP), from + room - GAP))
