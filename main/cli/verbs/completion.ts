/**
 * bowline completion: scripts for bash, zsh and fish. Each asks this very command what fits (`bowline __complete`), so that
 * one table serves all three and what is offered is what this version takes.
 *
 *   __complete -- WORDS…   the words after "bowline" up to the cursor, the last one perhaps empty; prints one candidate a
 *                          line, a tab, and what it is; ":file" and ":folder" stand for the shell's own completion
 */
import type { LoginProfile, PeerStatus } from '../../localapi/types.ts'
import { candidates } from '../candidates.ts'
import type { Candidate } from '../candidates.ts'
import { LocalApi } from '../client.ts'
import { EXIT, usageError } from '../exit.ts'
import type { Takes } from '../flags.ts'
import { didYouMean } from '../nearest.ts'
import { printable } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { nameOf } from './find-device.ts'

const BASH = `# bowline completion for bash. Use: source <(bowline completion bash)
_bowline() {
  local words=() word glue= raw=\${COMP_WORDS[COMP_CWORD]} i cur prefix value
  # Bash breaks words at = and : too.
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ \${#words[@]} -gt 0 && ( $word == [=:] || -n $glue ) ]]; then
      words[\${#words[@]}-1]+=$word
    else
      words+=("$word")
    fi
    if [[ $word == [=:] ]]; then glue=1; else glue=; fi
  done
  cur=\${words[\${#words[@]}-1]}
  if [[ $raw == [=:] ]]; then raw=; fi
  prefix=\${cur%"$raw"}
  COMPREPLY=()
  while IFS=$'\\t' read -r value _; do
    case $value in
      :file) while IFS= read -r value; do COMPREPLY+=("$value"); done < <(compgen -f -- "$raw"); compopt -o filenames 2>/dev/null ;;
      :folder) while IFS= read -r value; do COMPREPLY+=("$value"); done < <(compgen -d -- "$raw"); compopt -o filenames 2>/dev/null ;;
      *) COMPREPLY+=("\${value#"$prefix"}") ;;
    esac
  done < <(bowline __complete -- "\${words[@]}" 2>/dev/null)
}
complete -F _bowline bowline
`

const ZSH = `#compdef bowline
# bowline completion for zsh. Use: source <(bowline completion zsh)   or put it into a folder of $fpath as _bowline
_bowline() {
  local -a described
  local line value
  for line in "\${(@f)$(bowline __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    value=\${line%%$'\\t'*}
    case $value in
      '') ;;
      :file) _files ;;
      :folder) _files -/ ;;
      *) described+=("\${value//:/\\\\:}:\${line#*$'\\t'}") ;;
    esac
  done
  (( \${#described} )) && _describe bowline described
}
if [[ \${funcstack[1]} == _bowline ]]; then _bowline "$@"; else compdef _bowline bowline; fi
`

const FISH = `# bowline completion for fish. Use: bowline completion fish | source
function __bowline_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in (bowline __complete -- $words[2..-1] 2>/dev/null)
        switch $line
            case ':file*'
                __fish_complete_path (commandline -ct)
            case ':folder*'
                __fish_complete_directories (commandline -ct)
            case '*'
                echo $line
        end
    end
end
complete -c bowline -f -a '(__bowline_complete)'
`

const SCRIPTS: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH }

export const completion: Verb = {
  name: 'completion',
  group: 'The engine and this command',
  summary: 'print the script that lets a shell complete this command',
  usage: Object.keys(SCRIPTS).join('|'),
  help: 'Commands, flags and their values are completed, and the names of devices, exit nodes and accounts while an engine runs.',
  examples: [
    ['source <(bowline completion bash)', 'in ~/.bashrc'],
    ['source <(bowline completion zsh)', 'in ~/.zshrc, after compinit'],
    ['bowline completion fish | source', 'in ~/.config/fish/config.fish'],
  ],
  json: '{"shell", "script"}',
  takes: Object.keys(SCRIPTS),
  flags: {},
  async run({ args, json, terminal }: Context) {
    const shell = args.words[0] ?? ''
    const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell]! : undefined
    if (script === undefined || args.words.length > 1) throw usageError(`completion wants one of ${Object.keys(SCRIPTS).join(', ')}.${didYouMean(shell, Object.keys(SCRIPTS))}`)
    if (json) printJson(terminal, { shell, script })
    else terminal.out(script)
    return EXIT.ok
  },
}

/** The hidden verb behind the scripts. It never fails: where nothing is known nothing is offered. */
export const completeWords = (verbs: () => readonly Verb[]): Verb => ({
  name: '__complete',
  summary: 'what fits at the end of a command line',
  usage: '-- WORD…',
  help: '',
  flags: {},
  async run({ api, args, terminal }: Context) {
    const socket = socketIn(args.words)
    const { fixed, also, prefix, begun } = candidates(verbs(), args.words)
    const known = also === undefined ? [] : await named(socket === undefined ? api : new LocalApi(socket), also).catch(() => [])
    const fits = known.filter(([value]) => value.startsWith(begun) || value.startsWith(':')).map(([value, what]): Candidate => [value.startsWith(':') ? value : prefix + value, what])
    for (const [value, what] of [...fixed, ...fits]) terminal.out(`${value}\t${printable(what)}\n`)
    return EXIT.ok
  },
})

/** The --socket that stands in the words already. */
function socketIn(words: readonly string[]): string | undefined {
  const at = words.findIndex((word) => /^--?socket(=|$)/.test(word))
  if (at < 0 || at === words.length - 1) return undefined
  return words[at]!.includes('=') ? words[at]!.slice(words[at]!.indexOf('=') + 1) : words[at + 1]
}

/** Only what needs no quoting is offered: names come from other people's machines. */
const PLAIN = /^[\w.@+-]+$/
const ASK_MS = 2_000
/** TaildropTarget of a device that files can be sent to, and of one that is offline. */
const SENDABLE: readonly number[] = [1, 5]

async function named(api: LocalApi, takes: Takes): Promise<Candidate[]> {
  switch (takes) {
    case 'file':
    case 'folder':
      return [[`:${takes}`, '']]
    case 'profile': {
      const all = (await api.call('profiles', { timeoutMs: ASK_MS })) as readonly LoginProfile[] | null
      const rows = (all ?? []).flatMap((profile): Candidate[] => [[profile.Name, profile.ControlURL], [profile.ID, profile.Name || profile.ControlURL]])
      return rows.filter(([value], i) => PLAIN.test(value) && rows.findIndex(([other]) => other === value) === i)
    }
    case 'file-or-target':
    case 'device':
    case 'exit-node': {
      const current = await api.call('status', { timeoutMs: ASK_MS })
      const fits = (peer: PeerStatus): boolean => (takes === 'exit-node' ? peer.ExitNodeOption : takes === 'device' || SENDABLE.includes(peer.TaildropTarget))
      const rows = Object.values(current.Peer ?? {}).filter(fits).map((peer): Candidate => [nameOf(peer, current), peer.TailscaleIPs?.[0] ?? '']).filter(([value]) => PLAIN.test(value))
      if (takes === 'file-or-target') return [[':file', ''], ...rows.map(([value, what]): Candidate => [`${value}:`, what])]
      return [...rows, ...(takes === 'exit-node' ? ([['auto:any', 'the one that fits best']] as const) : [])]
    }
  }
}
