import type { frame as en } from '../en/frame.ts'

export const frame: Partial<Record<keyof typeof en, string>> = {
  'action.cancel': 'キャンセル',
  'action.copy': 'コピー',
  'action.copied': 'コピーしました',
  'action.copyThis': '{what} をコピー',
  'action.close': '閉じる',
  'action.back': '戻る',
  'action.tryAgain': '再試行',
  'action.more': 'その他',
  'action.remove': '削除',
  'action.save': '保存',
  'action.undo': '元に戻す',
  'action.open': '開く',
  'action.checkAgain': 'もう一度確認',
  'action.fewer': '少なく表示',

  'place.diagnose': '診断',
  'place.settings': '設定',
}
