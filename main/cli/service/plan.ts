/**
 * What installing the service writes and runs, as a value: shown by --plan, carried out by install.ts. Pure.
 *
 *   stop → files (whole, root's own) → group → start       each step can be done again without harm
 */

/** A file that is written whole. */
export interface PlannedFile {
  readonly path: string
  readonly mode: number
  readonly text: string
}

export interface ServicePlan {
  readonly files: readonly PlannedFile[]
  /** Run in this order once the files are there; each as its words, the first one a program of the system. */
  readonly start: readonly (readonly string[])[]
  /** Run before the files go; the service may be away already. */
  readonly stop: readonly (readonly string[])[]
  /** Run once the files are gone. */
  readonly forget: readonly (readonly string[])[]
}

/** What the service is made of, whatever the system. */
export interface ServiceShape {
  /** Program and first words that are the bowline command: absolute, root's own. */
  readonly command: readonly string[]
  readonly socket: string
  readonly stateDir: string
  /** Users that may change things: names or numbers. */
  readonly operators: readonly string[]
  /** Group that may change things; '' = none. */
  readonly group: string
}

/** First line of each file that this command wrote: only those are ever replaced or removed. */
export const MARK = 'Written by: bowline service install'

/** The words with which the engine starts, after the command. */
export function daemonWords({ socket, stateDir, operators, group }: ServiceShape): readonly string[] {
  return [
    'daemon', '--service', `--statedir=${stateDir}`, `--socket=${socket}`, '--encrypt-state=false',
    ...(operators.length > 0 ? [`--operator=${operators.join(',')}`] : []),
    ...(group === '' ? [] : [`--operator-group=${group}`]),
  ]
}

/** The plan as text for people. */
export function planText({ files, start }: ServicePlan): string {
  const parts = files.map(({ path, mode, text }) => `# ${path} (${mode.toString(8).padStart(4, '0')})\n${text}`)
  return [...parts, `# and then\n${start.map((words) => `${words.join(' ')}\n`).join('')}`].join('\n')
}
