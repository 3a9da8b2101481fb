/**
 * The list of other people's software that ships with Bowline, as build/THIRD-PARTY-NOTICES.txt has it: packages that name their licence
 * texts by number, and behind them the texts. Pure.
 */

export interface Package {
  readonly name: string
  readonly version: string
  readonly licence: string
  readonly source: string
  /** Numbers of its texts. */
  readonly texts: readonly number[]
}

export interface NoticesFile {
  readonly packages: readonly Package[]
  readonly texts: ReadonlyMap<number, string>
}

const RULE = /^-{78}$/m
const ENTRY = /^(?<name>\S+) (?<version>\S+)\n {2}(?<licence>[^;\n]+); (?<source>.*)\n {2}texts: (?<texts>.*)$/gm

/** Lines that are of another form are left away. */
export function parseNotices(file: string): NoticesFile {
  const [list = '', ...bodies] = file.split(RULE)
  const packages = [...list.matchAll(ENTRY)].map(({ groups }) => ({
    name: groups!['name']!, version: groups!['version']!, licence: groups!['licence']!, source: groups!['source']!.replace(/^git\+|\.git$/g, ''),
    texts: [...groups!['texts']!.matchAll(/\[(\d+)\]/g)].map(([, number]) => Number(number)),
  }))
  const texts = new Map(bodies.flatMap((body) => {
    const match = /^\s*\[(\d+)\]\n\n([\s\S]*)$/.exec(body)
    return match ? [[Number(match[1]), match[2]!.trim()] as const] : []
  }))
  return { packages, texts }
}

/** Packages whose name or licence has what somebody typed. */
export function foundPackages({ packages }: NoticesFile, typed: string): readonly Package[] {
  const wanted = typed.trim().toLowerCase()
  return packages.filter(({ name, licence }) => `${name} ${licence}`.toLowerCase().includes(wanted))
}
