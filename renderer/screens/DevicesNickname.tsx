/**
 * A name of the person's own for a device, kept on this computer for the account.
 */
import { useState, type FormEvent, type ReactNode } from 'react'
import type { AccountView } from '../../preload/contract.ts'
import { rich, t } from '../../main/words/words.ts'
import type { Device } from '../state/devices.ts'
import { named, NICKNAME_LIMIT } from '../state/devices-view.ts'
import { useDialog } from '../ui/use-dialog.ts'

interface NicknameProps {
  readonly device: Device
  readonly nickname: string
  readonly edit: (change: (view: AccountView) => AccountView) => Promise<boolean>
  readonly onClose: () => void
}

export function DevicesNickname({ device, nickname, edit, onClose }: NicknameProps): ReactNode {
  const dialog = useDialog()
  const [text, setText] = useState(nickname)
  const keep = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    // Why it could not be kept is said in the list's foot.
    await edit((view) => named(view, device.id, text))
    dialog.current?.close()
  }
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="nickname-title" onClose={onClose}>
      <form className="dialog-form" onSubmit={(event) => void keep(event)} noValidate>
        <h2 id="nickname-title">{rich('devices.nickname.title', { name: <bdi key="name">{device.name}</bdi> })}</h2>
        <label className="label" htmlFor="device-nickname">{t('devices.nickname')}</label>
        <input id="device-nickname" className="field lg" value={text} maxLength={NICKNAME_LIMIT} onChange={(event) => setText(event.target.value)} autoComplete="off" spellCheck={false} aria-describedby="device-nickname-hint" />
        <p id="device-nickname-hint" className="small t2">{t('devices.nickname.hint')}</p>
        <div className="buttons end">
          <button type="button" className="button lg" onClick={() => dialog.current?.close()}>{t('action.cancel')}</button>
          <button type="submit" className="button ink lg">{t('devices.nickname.keep')}</button>
        </div>
      </form>
    </dialog>
  )
}
