import type { frame as en } from '../en/frame.ts'

export const frame: Partial<Record<keyof typeof en, string>> = {
  'action.cancel': 'Cancelar',
  'action.copy': 'Copiar',
  'action.copied': 'Copiado',
  'action.copyThis': 'Copiar {what}',
  'action.close': 'Cerrar',
  'action.back': 'Atrás',
  'action.tryAgain': 'Reintentar',
  'action.more': 'Más',
  'action.remove': 'Quitar',
  'action.save': 'Guardar',
  'action.undo': 'Deshacer',
  'action.open': 'Abrir',
  'action.checkAgain': 'Comprobar de nuevo',
  'action.fewer': 'Mostrar menos',

  'place.diagnose': 'Diagnóstico',
  'place.settings': 'Ajustes',
}
