import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { portOwner } from '../../../main/engine/io/port-owner.ts'

const onLinux = test.skipIf(process.platform !== 'linux')

onLinux.each(['127.0.0.1', '0.0.0.0', '::1', '::'])('the program that listens on %s is found by its port', async (host) => {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const asked = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  expect(portOwner('tcp', { ip: asked, port })).toBe('Bowline itself')
  expect(portOwner('udp', { ip: asked, port })).toBeUndefined()
  server.close()
  await once(server, 'close')
  expect(portOwner('tcp', { ip: asked, port })).toBeUndefined()
})

onLinux('a UDP port is found too, and one of another address is another one', async () => {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  expect(portOwner('udp', { ip: '127.0.0.1', port })).toBe('Bowline itself')
  expect(portOwner('udp', { ip: '127.0.0.2', port })).toBeUndefined()
  socket.close()
})
