import type { frame as en } from '../en/frame.ts'

export const frame: Partial<Record<keyof typeof en, string>> = {
  'action.cancel': 'Abbrechen',
  'action.copy': 'Kopieren',
  'action.copied': 'Kopiert',
  'action.copyThis': '{what} kopieren',
  'action.close': 'Schließen',
  'action.back': 'Zurück',
  'action.tryAgain': 'Erneut versuchen',
  'action.more': 'Mehr',
  'action.remove': 'Entfernen',
  'action.save': 'Speichern',
  'action.undo': 'Rückgängig machen',
  'action.open': 'Öffnen',
  'action.checkAgain': 'Erneut prüfen',
  'action.fewer': 'Weniger anzeigen',

  'place.diagnose': 'Diagnose',
  'place.settings': 'Einstellungen',
}
