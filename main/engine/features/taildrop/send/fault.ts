/**
 * What can go wrong between us and the device that something is sent to.
 *
 *   away      it could not be reached at all
 *   broken    the connection ended in the middle
 *   silent    nothing moved for too long
 *   nonsense  it answered what no device answers, or more than any would
 *   aborted   nobody wants it any more
 */
export type SendFaultCode = 'away' | 'broken' | 'silent' | 'nonsense' | 'aborted'

export class SendFault extends Error {
  readonly code: SendFaultCode

  constructor(code: SendFaultCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

export function sendFaultOf(error: unknown): SendFault {
  return error instanceof SendFault ? error : new SendFault('broken', error instanceof Error ? error.message : String(error), { cause: error })
}
