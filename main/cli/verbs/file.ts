/**
 * bowline file: sending and receiving files.
 */
import type { Verb } from '../verb.ts'
import { accept, acts, forget, refuse } from './file-acts.ts'
import { cp } from './file-cp.ts'
import { get } from './file-get.ts'
import { list, showList } from './file-list.ts'
import { folder, rule } from './file-rules.ts'
import { targets } from './file-targets.ts'

export const file: Verb = {
  name: 'file',
  group: 'Use the network',
  summary: 'send files to other devices, and receive them',
  usage: 'cp FILE… DEVICE: | get FOLDER | list | …',
  help: 'Files go straight from device to device, encrypted. Without a command: what is on its way and what waits.',
  examples: [
    ['bowline file cp report.pdf desk:', 'send a file'],
    ['bowline file get .', 'fetch what has arrived'],
    ['bowline file targets', 'who can be sent to'],
  ],
  json: 'as file list',
  subs: [cp, get, list, targets, accept, refuse, ...acts, forget, rule, folder],
  flags: {},
  run: showList,
}
