/**
 * Reads a settings file: JSON with comments and trailing commas (HuJSON), as `tailscaled --config` takes it. Every value comes
 * with the line it stands on, so that whoever judges it can say where.
 */
import { readFileSync } from 'node:fs'
import { EngineError, errorText } from '../base/errors.ts'

export interface ConfigField {
  readonly name: string
  readonly value: unknown
  /** 1 = the first. */
  readonly line: number
}

/** A settings file is small; what is larger is none. */
const MAX_BYTES = 1024 * 1024

/** The fields of the file in its order. Throws EngineError('not-found') for no file, 'bad-config' for one that is wrong. */
export async function readConfigFile(path: string): Promise<readonly ConfigField[]> {
  const text = readText(path)
  // Only who gives a settings file needs it.
  const { parseTree, getNodeValue, printParseErrorCode } = await import('jsonc-parser')
  const errors: { error: number; offset: number; length: number }[] = []
  const tree = parseTree(text, errors, { allowTrailingComma: true })
  const lineOf = (offset: number): number => text.slice(0, offset).split('\n').length
  const [first] = errors
  if (first) throw new EngineError('bad-config', `${path}, line ${lineOf(first.offset)}: this is not JSON (${words(printParseErrorCode(first.error))})`)
  if (tree?.type !== 'object') throw new EngineError('bad-config', `${path}: the file must hold one JSON object`)
  return (tree.children ?? []).flatMap(({ offset, children }) => {
    const [name, value] = children ?? []
    return name && value ? [{ name: String(name.value), value: getNodeValue(value) as unknown, line: lineOf(offset) }] : []
  })
}

function readText(path: string): string {
  try {
    const bytes = readFileSync(path)
    if (bytes.length > MAX_BYTES) throw new Error('it is too large for a settings file')
    return bytes.toString('utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'not-found' : 'bad-config'
    throw new EngineError(code, `The settings file ${path} cannot be read: ${errorText(error)}`, { cause: error })
  }
}

/** "CommaExpected" → "comma expected". */
function words(code: string): string {
  return code.replace(/(?<=.)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase()
}

/** The auth key that a setting names: itself, or the text of the file behind "file:". Throws EngineError('bad-config'). */
export function readConfigKey(setting: string): string {
  if (!setting.startsWith('file:')) return setting
  const path = setting.slice('file:'.length)
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw new EngineError('bad-config', `The auth key cannot be read from ${path}: ${errorText(error)}`, { cause: error })
  }
}
