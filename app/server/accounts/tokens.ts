import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { jwtVerify, SignJWT } from 'jose'
import { refuse, uuidv7 } from 'safepoint'
import type { Identity, Role } from './accounts.ts'

/** Seconds an access token is good for. */
export const accessLifetime = 15 * 60

/** Seconds by which the clocks of two servers may differ. */
const clockTolerance = 30
/** Milliseconds for which an access token may be taken after its session has ended; a minute for a commit that is late. */
export const longestAccess = (accessLifetime + 2 * clockTolerance + 60) * 1000

const issuer = 'pantry'
const audience = 'pantry-api'
const accessType = 'at+jwt'

export interface Tokens {
  issueAccess(holder: { readonly accountId: string; readonly sessionId: string; readonly role: Role }): Promise<string>
  /** Throws `unauthenticated`. */
  verifyAccess(token: string): Promise<Identity>
  /** The token of a row of `refresh_token`: it can be made again, so that it need not be stored. */
  refreshTokenOf(id: string): string
  /** The row that a token speaks of; `undefined` when it was not made here. */
  readRefreshToken(token: string): string | undefined
  /** The token of a row of `password_reset`, the same each time, so that neither that table nor the outbox holds it. */
  resetTokenOf(id: string): string
  /** The row that a token speaks of; `undefined` when it was not made here. */
  readResetToken(token: string): string | undefined
  /** Stands for a password in a fingerprint: equal exactly for equal passwords, and no use to whoever reads the table. */
  tagPassword(emailKey: string, password: string): string
}

/**
 * The only place that makes or verifies tokens. Access tokens: HS256 alone, with issuer, audience, type, age and every claim
 * required (RFC 8725; `jwtVerify` by itself accepts another audience, another issuer, a refresh token and an hour-old one).
 */
export function createTokens(secret: string): Tokens {
  const key = (purpose: string) => Buffer.from(hkdfSync('sha256', secret, '', `pantry ${purpose}`, 32))
  const accessKey = key('access token')
  const refreshKey = key('refresh token')
  const resetKey = key('password reset')
  const passwordKey = key('password tag')
  const mac = (macKey: Buffer, id: string) => createHmac('sha256', macKey).update(id).digest()
  const tokenOf = (macKey: Buffer, id: string) => `${id}.${mac(macKey, id).toString('base64url')}`
  const read = (macKey: Buffer, token: string) => {
    const [, id, signature] = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([\w-]{43})$/.exec(token) ?? []
    if (id === undefined || signature === undefined) return undefined
    const given = Buffer.from(signature, 'base64url')
    const expected = mac(macKey, id)
    return given.length === expected.length && timingSafeEqual(given, expected) ? id : undefined
  }

  return {
    issueAccess: ({ accountId, sessionId, role }) =>
      new SignJWT({ sid: sessionId, role })
        .setProtectedHeader({ alg: 'HS256', typ: accessType })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(accountId)
        .setJti(uuidv7())
        .setIssuedAt()
        .setExpirationTime(`${accessLifetime}s`)
        .sign(accessKey),

    async verifyAccess(token) {
      try {
        const { payload } = await jwtVerify(token, accessKey, {
          algorithms: ['HS256'],
          issuer,
          audience,
          typ: accessType,
          requiredClaims: ['exp', 'iat', 'sub', 'jti', 'sid', 'role'],
          maxTokenAge: accessLifetime,
          clockTolerance,
        })
        const { sub, sid, role, exp } = payload
        if (typeof sub !== 'string' || typeof sid !== 'string' || (role !== 'customer' && role !== 'admin'))
          throw new TypeError('claims')
        return { accountId: sub, sessionId: sid, role, expiresAt: exp! }
      } catch (cause) {
        throw refuse('unauthenticated', 'The access token is not valid, or its time is up.', { cause })
      }
    },

    refreshTokenOf: (id) => tokenOf(refreshKey, id),
    readRefreshToken: (token) => read(refreshKey, token),
    resetTokenOf: (id) => tokenOf(resetKey, id),
    readResetToken: (token) => read(resetKey, token),

    tagPassword: (emailKey, password) =>
      createHmac('sha256', passwordKey).update(`${emailKey}\n${password}`).digest('base64url'),
  }
}
