/**
 * Why a file cannot come or go: code → the sentence in English. Windows have words of their own for each code
 * (`transfers.why.CODE`); commands, logs and the journal say these.
 */
const TEXTS = {
  // What is asked of us, and what we answer.
  'not-allowed': 'the network does not let that device send files here',
  'no-file-sharing': 'the server has switched file sharing off for this device',
  'not-wanted': 'files from that device are refused here',
  'not-answered': 'nobody answered whether the file may come in',
  'ask-first': 'a person is asked whether the file may come in',
  'bad-name': 'the name is none that a file may have here',
  'bad-range': 'the place to go on from cannot be understood',
  'bad-offset': 'the place to go on from is not there',
  'bad-request': 'the request cannot be understood',
  busy: 'the same file from the same device is coming in already',
  'too-many': 'too many files are coming in at once',
  'too-much': 'that is more than can be taken at once',
  'no-space': 'the disk has not enough room',
  'folder-gone': 'the folder for incoming files is gone',
  'not-a-folder': 'the place for incoming files is no folder',
  'no-rights': 'the folder for incoming files cannot be written to',
  'no-free-name': 'too many files of this name are there already',
  'wrong-size': 'what came is not as long as the sender said',
  'wrong-hash': 'what came is not what was sent',
  io: 'the disk reported a fault',
  stopped: 'the sender stopped before all was sent',
  'canceled-here': 'a person here wants it no longer',
  'turned-off': 'this device is no longer connected',
  // Why a device is none that can be sent to.
  'self-no-capability': 'the server has switched sending files off for this device',
  'other-owner': 'it belongs to somebody else, and no grant lets files go there',
  tagged: 'it acts for a tag, not for you, and no grant lets files go there',
  'self-tagged': 'this device acts for a tag, not for a person, and no grant lets it send files there',
  'cannot-receive': 'it cannot receive files',
  unsigned: 'nobody of the network has signed it yet',
  'not-connected': 'this device is not connected',
  // What comes of sending.
  'peer-away': 'the device does not answer',
  'peer-no-files': 'the device takes no files',
  'peer-not-allowed': 'the device does not let files come in from this one',
  'peer-not-wanted': 'the device refuses files from this one',
  'peer-not-answered': 'nobody at the device answered whether the file may come in',
  'peer-bad-name': 'the device takes no file of this name',
  'peer-no-space': 'the disk of the device has not enough room',
  'peer-folder': 'the device cannot write to its folder for incoming files',
  'peer-too-much': 'that is more than the device takes at once',
  'peer-busy': 'the device is busy with other files',
  'peer-failed': 'the device could not take it',
  'peer-wrong-hash': 'what arrived is not what was sent',
  'peer-bad-answer': 'the device answered what cannot be understood',
  'broken-off': 'the connection to the device broke off',
  stalled: 'the device stopped taking what is sent',
  'source-gone': 'what was to be sent is no longer there',
  'source-changed': 'what was to be sent has changed since',
  'source-unreadable': 'what was to be sent cannot be read',
  'source-stopped': 'the program that sends stopped before all was there',
  // Of what waits here to be sent.
  'device-offline': 'the device is offline; it is sent when it is there',
  'device-silent': 'the device does not answer; it is tried again, and at once when something is heard from it',
  'device-gone': 'the device is no longer in this network',
} as const satisfies Readonly<Record<string, string>>

export type WhyCode = keyof typeof TEXTS

/** The why of a code, with a sentence of its own where there is more to say. */
export function whyOf(Code: WhyCode, Text: string = TEXTS[Code]): { readonly Code: WhyCode; readonly Text: string } {
  return { Code, Text }
}

/** What the disk reports, by the code of its fault; `io` for any other error. */
export function codeOfFault(error: unknown): WhyCode {
  const { code } = error as { readonly code?: unknown }
  return typeof code === 'string' && Object.hasOwn(TEXTS, code) ? (code as WhyCode) : 'io'
}

export const WHY_CODES = Object.keys(TEXTS) as readonly WhyCode[]
