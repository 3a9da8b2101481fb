/**
 * What keeps files from moving, above the list: the engine is away, nobody is connected, the server does not allow it, the folder is
 * gone or its disk nearly full.
 */
import { TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { byteCount, safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { deviceName } from '../state/devices.ts'
import { useSnapshot } from '../state/store.ts'
import { folderWords, whyWords } from '../state/transfers-words.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { say } from '../ui/toast.ts'
import { useAsk, waits } from '../ui/use-ask.ts'

/** Less than this is said before it is too late. */
const LOW_BYTES = 1_000_000_000

export function TransfersNotices(): ReactNode {
  const [engine, state, self, mayShare, inbox] = useSnapshot(useShallow((s) => [s.app.engine, s.status?.BackendState, s.status?.Self, s.transferTargets?.Why?.Code !== 'self-no-capability', s.transfers?.Inbox] as const))
  // The engine has a notice of its own.
  if (engine !== 'running') return null
  const isConnected = state === 'Running'
  const low = inbox !== undefined && inbox.Problem === undefined && inbox.FreeBytes >= 0 && inbox.FreeBytes < LOW_BYTES
  return (
    <>
      {!isConnected && <Notice words={t('transfers.off')} />}
      {isConnected && !mayShare && (
        <Notice words={t('transfers.noSharing')}>
          <CopyButton className="button" text={t('transfers.noSharing.request', { name: self ? safeText(deviceName(self)) : '' })}>{t('transfers.copyRequest')}</CopyButton>
        </Notice>
      )}
      {inbox?.Problem && <Notice words={t('transfers.problem', { why: whyWords(inbox.Problem) })}><FolderButton /></Notice>}
      {low && <Notice words={t('transfers.low', { free: byteCount(inbox.FreeBytes) })}><FolderButton /></Notice>}
    </>
  )
}

function Notice({ words, children }: { words: string; children?: ReactNode }): ReactNode {
  return <div className="notice warn transfers-notice"><TriangleAlert size={16} strokeWidth={1.9} aria-hidden="true" /><p className="grow" role="status">{words}</p>{children}</div>
}

function FolderButton(): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const inApp = useSnapshot((s) => s.app.host === 'electron')
  if (!inApp) return null
  const choose = (): void => void ask.run(async () => {
    const answer = await api.call('chooseFolder', { for: 'inbox' })
    if (answer.ok && answer.value) say(t('transfers.said.folder', { folder: folderWords(answer.value.Folder) }))
    return answer
  })
  return <><button type="button" className="button" aria-busy={waits(ask)} onClick={choose}>{t('transfers.problem.choose')}</button><AskWords ask={ask} /></>
}
