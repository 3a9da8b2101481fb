/**
 * The server's side of the handshake on OpenSSL alone (node:crypto), written from the Noise specification: nothing of
 * the engine's cryptography is in it, so that the two check each other.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto'

const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')
const SPKI = Buffer.from('302a300506032b656e032100', 'hex')

function dh(privateRaw: Uint8Array, publicRaw: Uint8Array): Buffer {
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8, privateRaw]), format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI, publicRaw]), format: 'der', type: 'spki' })
  return diffieHellman({ privateKey, publicKey })
}

export function publicOf(privateRaw: Uint8Array): Buffer {
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8, privateRaw]), format: 'der', type: 'pkcs8' })
  return createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32)
}

const hash = (...parts: Uint8Array[]): Buffer => createHash('blake2s256').update(Buffer.concat(parts)).digest()
const hmac = (key: Uint8Array, data: Uint8Array): Buffer => createHmac('blake2s256', key).update(data).digest()

function hkdf(chainingKey: Uint8Array, input: Uint8Array): [Buffer, Buffer] {
  const temp = hmac(chainingKey, input)
  const first = hmac(temp, Buffer.from([1]))
  return [first, hmac(temp, Buffer.concat([first, Buffer.from([2])]))]
}

export function seal(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array, ad: Uint8Array): Buffer {
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
  cipher.setAAD(ad, { plaintextLength: plain.length })
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

export function open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, ad: Uint8Array): Buffer {
  const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
  decipher.setAAD(ad, { plaintextLength: sealed.length - 16 })
  decipher.setAuthTag(sealed.subarray(-16))
  return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()])
}

export const recordNonce = (counter: bigint): Buffer => {
  const nonce = Buffer.alloc(12)
  nonce.writeBigUInt64BE(counter, 4)
  return nonce
}

export function respond(serverKey: Uint8Array, ephemeral: Uint8Array, initiation: Uint8Array): { response: Buffer; toServer: Buffer; toClient: Buffer; clientStatic: Buffer; version: number } {
  const message = Buffer.from(initiation)
  const version = message.readUInt16BE(0)
  let h = hash(Buffer.from('Noise_IK_25519_ChaChaPoly_BLAKE2s'))
  let ck = h
  let key = Buffer.alloc(0)
  const mix = (secret: Uint8Array): void => void ([ck, key] = hkdf(ck, secret) as [Buffer<ArrayBuffer>, Buffer<ArrayBuffer>])
  const zero = Buffer.alloc(12)
  h = hash(h, Buffer.from(`Tailscale Control Protocol v${version}`))
  h = hash(h, publicOf(serverKey))
  const clientEphemeral = message.subarray(5, 37)
  h = hash(h, clientEphemeral)
  mix(dh(serverKey, clientEphemeral))
  const clientStatic = open(key, zero, message.subarray(37, 85), h)
  h = hash(h, message.subarray(37, 85))
  mix(dh(serverKey, clientStatic))
  open(key, zero, message.subarray(85), h)
  h = hash(h, message.subarray(85))
  const ephemeralPublic = publicOf(ephemeral)
  h = hash(h, ephemeralPublic)
  mix(dh(ephemeral, clientEphemeral))
  mix(dh(ephemeral, clientStatic))
  const tag = seal(key, zero, Buffer.alloc(0), h)
  const [toServer, toClient] = hkdf(ck, Buffer.alloc(0))
  return { response: Buffer.concat([Buffer.from([2, 0, 48]), ephemeralPublic, tag]), toServer, toClient, clientStatic, version }
}
