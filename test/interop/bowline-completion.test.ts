/**
 * The completion scripts in the real shells, where those are installed, with the built command and a running engine.
 */
import { execFile, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
let folder: string
let ours: LabNode

/** A `bowline` for the search path, and a folder to complete file names in. */
function prepareFolder(): void {
  mkdirSync(join(folder, 'files'), { recursive: true })
  writeFileSync(join(folder, 'files', 'report.pdf'), '')
  writeFileSync(join(folder, 'bowline'), `#!/bin/sh\nexec ${root}node_modules/.bin/node ${root}build/scripts/bowline.mjs "$@"\n`)
  chmodSync(join(folder, 'bowline'), 0o755)
}

const has = (shell: string): boolean => spawnSync(shell, ['-c', 'exit 0'], { stdio: 'ignore' }).status === 0
const env = (): NodeJS.ProcessEnv => ({ PATH: `${folder}:/usr/bin:/bin`, HOME: folder, BOWLINE_SOCKET: ours.api.socketPath, TERM: 'dumb', LANG: 'C.UTF-8' })

/** What a shell prints for a script. */
async function inShell(shell: string, script: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    execFile(shell, ['-c', script], { env: env(), cwd: join(folder, 'files'), timeout: 60_000 }, (error, stdout, stderr) => (error ? reject(new Error(`${error.message}\n${stderr}`)) : resolve(stdout.trim())))
  })
}

/** A line as it would be typed, up to the cursor, and what is offered. */
const LINES: readonly (readonly [line: readonly string[], offered: readonly string[]])[] = [
  [['comp'], ['completion']],
  [['exit-node', 's'], ['suggest']],
  [['set', '--netfilter-mode', 'no'], ['nodivert']],
  [['ping', 'n'], ['n2']],
  [['ping', '$'], []],
  [['metrics', 'write', 'rep'], ['report.pdf']],
  [['file', 'cp', 'rep'], ['report.pdf']],
  [['file', 'cp', 'report.pdf', 'n'], ['n2:']],
  [['file', 'accept', 'n'], ['n2']],
]

async function inBash(words: readonly string[]): Promise<string[]> {
  const all = ['bowline', ...words].map((word) => `'${word}'`).join(' ')
  const out = await inShell('bash', `source <(bowline completion bash); COMP_WORDS=(${all}); COMP_CWORD=${words.length}; _bowline; printf '%s\\n' "\${COMPREPLY[@]}"`)
  return out === '' ? [] : out.split('\n')
}

async function inFish(words: readonly string[]): Promise<string[]> {
  const line = ['bowline', ...words].join(' ').replace('$', '\\$')
  const out = await inShell('fish', `bowline completion fish | source; complete -C '${line}'`)
  return out === '' ? [] : out.split('\n').map((row) => row.split('\t')[0]!)
}

/** zsh completes only at a keyboard; a pseudo-terminal of its own stands for one, as zsh's own tests do it. */
async function inZsh(words: readonly string[]): Promise<string[]> {
  const line = ['bowline', ...words].join(' ').replace('$', '\\$')
  const script = `zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PS1= ; autoload -U compinit; compinit -u -D; source <(bowline completion zsh)
compadd() { builtin compadd -A __hits -D __rest "$@" 2>/dev/null; local -a got; builtin compadd -O got "$@"; print -r -- "<\${(j:,:)got}>" }
zle -C probe complete-word _probe; _probe() { _main_complete; print -r -- "<end>" }; bindkey "^X" probe; print -r -- "<rea""dy>"'
zpty -r -m z out '*<ready>*'
zpty -w -n z '${line.replace("'", "'\\''")}'$'\\x18'
zpty -r -m z out '*<end>*'
print -r -- "$out"
zpty -d z`
  const out = await inShell('zsh', script)
  // The shell asks more than once.
  return [...new Set([...out.matchAll(/<([^<>]*)>/g)].map((match) => match[1]!).filter((text) => text !== 'ready' && text !== 'end' && text !== '').flatMap((text) => text.split(',')))]
}

const SHELLS: readonly (readonly [shell: string, ask: (words: readonly string[]) => Promise<string[]>])[] = [['bash', inBash], ['zsh', inZsh], ['fish', inFish]]

labSuite(
  'completion',
  {},
  async (lab) => {
    folder = join(lab.folder, 'shell')
    prepareFolder()
    ;[ours] = await Promise.all([lab.join('bowline', 'ours'), lab.join('bowline', 'n2')])
  },
  () => {
    describe.each(SHELLS)('in %s (skipped where it is not installed)', (shell, ask) => {
      test.skipIf(!has(shell))('the script has no fault that the shell sees', async () => {
        const script = join(folder, `script.${shell}`)
        await inShell(shell, `bowline completion ${shell} > ${script} && ${shell} -n ${script}`)
      })

      test.skipIf(!has(shell)).each(LINES)('bowline %j offers %j', async (words, offered) => {
        expect(await ask(words)).toEqual(offered)
      })
    })

    test.skipIf(!has('bash'))('bash, which breaks words at = and :, gets the part behind them', async () => {
      expect(await inBash(['set', '--netfilter-mode', '=', 'no'])).toEqual(['nodivert'])
      expect(await inBash(['set', '--netfilter-mode', '='])).toEqual(['on', 'nodivert', 'off'])
      expect(await inBash(['set', '--exit-node', '=', 'auto', ':', 'a'])).toEqual(['any'])
    })
  },
)
