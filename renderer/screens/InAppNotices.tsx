/**
 * What the app would have told by a notification, and tells here: the person sees the window, or the system shows none. Also, once, what there is
 * to know of this desktop's tray.
 */
import { Bell, X } from 'lucide-react'
import { useEffect, useState, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { t } from '../../main/words/words.ts'
import { FILE_KEY } from '../../main/localapi/app-state.ts'
import type { AppState } from '../../preload/contract.ts'
import { useRoute } from '../state/route.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'

const SHOWN = 3

export function InAppNotices(): ReactNode {
  const notices = useSnapshot((s) => s.app.notices)
  const shown = useRoute().place === 'transfers' ? notices?.filter(({ key }) => !key.startsWith(FILE_KEY)) : notices
  return (
    <>
      <AboutTray />
      {shown?.slice(0, SHOWN).map((notice) => <Notice key={notice.key} notice={notice} />)}
    </>
  )
}

function Notice({ notice }: { notice: NonNullable<AppState['notices']>[number] }): ReactNode {
  const api = useApi()
  const { key } = notice
  return (
    <div className="notice" role="status">
      <Bell size={16} strokeWidth={1.9} aria-hidden="true" />
      <div className="grow">
        <p className="strong-2"><bdi>{notice.title}</bdi></p>
        <p className="t2"><bdi>{notice.body}</bdi></p>
      </div>
      {notice.actions.map((label, action) => <button key={label} type="button" className="button" onClick={() => void api.call('useNotice', { key, action })}>{label}</button>)}
      <Close onClose={() => void api.call('useNotice', { key })} />
    </div>
  )
}

/** Told once, and kept on screen until the person closes it or the window ends. */
function AboutTray(): ReactNode {
  const api = useApi()
  const [tray, platform, gnome, told] = useSnapshot(useShallow((s) => [s.app.tray, s.app.platform, s.app.desktop === 'gnome', s.app.settings.told] as const))
  const [shown, setShown] = useState(false)
  // Windows puts new icons behind an arrow.
  const topic = tray === 'missing' ? 'tray-missing' : tray === 'shown' && platform === 'win32' ? 'tray-arrow' : undefined
  useEffect(() => {
    if (topic === undefined || told.includes(topic)) return
    setShown(true)
    void api.call('editSettings', { told: [...told, topic] })
  }, [api, topic, told])
  if (topic === undefined || !shown) return null
  return (
    <div className="notice quiet" role="status">
      <Bell size={16} strokeWidth={1.9} aria-hidden="true" />
      <p className="grow t2">{topic === 'tray-arrow' ? t('tray.arrow') : gnome ? t('tray.missing.gnome') : t('tray.missing.other')}</p>
      <Close onClose={() => setShown(false)} />
    </div>
  )
}

function Close({ onClose }: { onClose: () => void }): ReactNode {
  return <button type="button" className="icon-button" aria-label={t('notice.dismiss')} title={t('notice.dismiss')} onClick={onClose}><X size={16} strokeWidth={1.9} aria-hidden="true" /></button>
}
