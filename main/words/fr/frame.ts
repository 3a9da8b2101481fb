import type { frame as en } from '../en/frame.ts'

export const frame: Partial<Record<keyof typeof en, string>> = {
  'action.cancel': 'Annuler',
  'action.copy': 'Copier',
  'action.copied': 'Copié',
  'action.copyThis': 'Copier {what}',
  'action.close': 'Fermer',
  'action.back': 'Retour',
  'action.tryAgain': 'Réessayer',
  'action.more': 'Plus',
  'action.remove': 'Supprimer',
  'action.save': 'Enregistrer',
  'action.undo': 'Annuler l’action',
  'action.open': 'Ouvrir',
  'action.checkAgain': 'Vérifier à nouveau',
  'action.fewer': 'Afficher moins',

  'place.diagnose': 'Diagnostic',
  'place.settings': 'Réglages',
}
