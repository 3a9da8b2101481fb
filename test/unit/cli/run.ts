/** The command line in this process, against the engine at a socket. */
import { main } from '../../../main/cli/bowline.ts'

/** Its exit code and all that it wrote. */
export async function runAt(socketPath: string, argv: readonly string[], { env = {}, ask, onErr }: { env?: Readonly<Record<string, string>>; ask?: (question: string) => Promise<string>; onErr?: (whole: string) => void } = {}): Promise<{ code: number; out: string; err: string }> {
  let out = ''
  let err = ''
  const code = await main(['--socket', socketPath, ...argv], {
    out: (text) => void (out += text),
    err: (text) => {
      err += text
      onErr?.(err)
    },
    system: { platform: 'linux', uid: 1000, home: '/home/x', user: 'x', env },
    ...(ask ? { ask } : {}),
    interrupted: new AbortController().signal,
  })
  return { code, out, err }
}
