/**
 * What a file is, by the end of its name: a hint for the eye.
 */
import { File, FileArchive, FileCode, FileHeadphone, FileImage, FilePlay, Files, FileSpreadsheet, FileText, Folder, type LucideIcon } from 'lucide-react'
import type { ReactNode } from 'react'
import type { FileKind } from '../state/transfers-words.ts'

const ICONS: Readonly<Record<FileKind, LucideIcon>> = {
  file: File, folder: Folder, many: Files, image: FileImage, video: FilePlay, sound: FileHeadphone, archive: FileArchive, table: FileSpreadsheet, text: FileText, source: FileCode,
}

export function FileIcon({ kind, size = 18 }: { kind: FileKind; size?: number }): ReactNode {
  const Icon = ICONS[kind]
  return <Icon className="file-icon" size={size} strokeWidth={1.7} aria-hidden="true" />
}
