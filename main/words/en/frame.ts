/** The frame of the window: sidebar, notices, health, what is said when the engine stopped, the keyboard table. */
export const frame = {
  'action.cancel': 'Cancel',
  'action.copy': 'Copy',
  'action.copied': 'Copied',
  'action.copyThis': 'Copy {what}',
  'action.close': 'Close',
  'action.back': 'Back',
  'action.tryAgain': 'Try again',
  'action.more': 'More',
  'action.remove': 'Remove',
  'action.save': 'Save',
  'action.undo': 'Undo',
  'action.open': 'Open',
  'action.checkAgain': 'Check again',
  'action.fewer': 'Show fewer',

  'place.diagnose': 'Diagnose',
  'place.settings': 'Settings',
} as const
