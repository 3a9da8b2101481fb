/**
 * Where the main window opens: where it was, as far as that place still exists. Pure; lengths in the desktop's own pixels.
 *
 * A window is kept where enough of its upper edge lies on a display to be taken hold of; else it opens in the middle of the display it
 * was on, or of the first one. It is never larger than its display's free area, and never smaller than it can be used.
 */

export const USUAL_SIZE = { width: 1100, height: 720 } as const
export const LEAST_SIZE = { width: 720, height: 520 } as const
/** So much of the upper edge must be within reach. */
const GRIP = { width: 120, height: 40 } as const
/** Beyond this no desktop lies: what a file says is bounded before it is used. */
const FARTHEST = 100_000

export interface Rectangle {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** How a window lay when it was last looked at; `display` is the system's ID of its display. */
export interface Placement extends Rectangle {
  readonly display: number
  readonly maximized: boolean
}

/** A display as Electron describes it; the first one is the primary. */
export interface DisplayArea {
  readonly id: number
  readonly workArea: Rectangle
}

export interface OpenAt {
  readonly width: number
  readonly height: number
  /** Absent = where the desktop likes. */
  readonly x?: number
  readonly y?: number
  readonly maximized: boolean
}

/** Where to open. `saved` undefined = it never was open. */
export function placeWindow(saved: Placement | undefined, displays: readonly DisplayArea[]): OpenAt {
  const home = displays.find(({ id }) => id === saved?.display) ?? displays[0]
  if (!home) return { ...USUAL_SIZE, maximized: false }
  if (!saved) return { ...fitted(USUAL_SIZE, home.workArea), maximized: false }
  const holder = displays.find(({ workArea }) => hasGrip({ ...saved, ...fitted(saved, workArea) }, workArea))
  const size = fitted(saved, (holder ?? home).workArea)
  if (holder) return { ...size, x: saved.x, y: saved.y, maximized: saved.maximized }
  const { workArea } = home
  return { ...size, x: middle(workArea.x, workArea.width, size.width), y: middle(workArea.y, workArea.height, size.height), maximized: saved.maximized }
}

const middle = (start: number, room: number, length: number): number => Math.round(start + Math.max(0, (room - length) / 2))

function fitted(size: { readonly width: number; readonly height: number }, area: Rectangle): { width: number; height: number } {
  const within = (wanted: number, least: number, most: number): number => Math.max(least, Math.min(wanted, most))
  return { width: within(size.width, LEAST_SIZE.width, area.width), height: within(size.height, LEAST_SIZE.height, area.height) }
}

function hasGrip(window: Rectangle, area: Rectangle): boolean {
  const width = Math.min(window.x + window.width, area.x + area.width) - Math.max(window.x, area.x)
  const below = area.y + area.height - window.y
  return width >= GRIP.width && window.y >= area.y && below >= GRIP.height
}

/** What a file says of a window's place; undefined when it is none. */
export function readPlacement(value: unknown): Placement | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { x, y, width, height, display, maximized } = value as Record<string, unknown>
  const lengths = [x, y, width, height].every((length) => typeof length === 'number' && Number.isFinite(length) && Math.abs(length) <= FARTHEST)
  if (!lengths || typeof display !== 'number' || !Number.isFinite(display)) return undefined
  const whole = (length: unknown): number => Math.round(length as number)
  return { x: whole(x), y: whole(y), width: whole(width), height: whole(height), display, maximized: maximized === true }
}
