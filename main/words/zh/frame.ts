import type { frame as en } from '../en/frame.ts'

export const frame: Partial<Record<keyof typeof en, string>> = {
  'action.cancel': '取消',
  'action.copy': '复制',
  'action.copied': '已复制',
  'action.copyThis': '复制 {what}',
  'action.close': '关闭',
  'action.back': '返回',
  'action.tryAgain': '重试',
  'action.more': '更多',
  'action.remove': '移除',
  'action.save': '保存',
  'action.undo': '撤销',
  'action.open': '打开',
  'action.checkAgain': '再次检查',
  'action.fewer': '收起',

  'place.diagnose': '诊断',
  'place.settings': '设置',
}
