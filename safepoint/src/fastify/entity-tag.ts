import { SafepointError } from '../errors.ts'

/**
 * The version that `If-Match` names (RFC 9110 section 13.1.1): one strong entity tag `"<version>"`, or `"<version>-<more>"` as
 * a read may send it whose representation can change without its version. The bare number is taken too, as clients send it that
 * have it from a body. `undefined` where the header is absent or `*`. Throws `version_invalid` for anything else; a weak tag
 * cannot guard a write.
 */
export function readIfMatch(value: string | undefined): number | undefined {
  const tag = value?.trim()
  if (tag === undefined || tag === '*') return undefined
  const [, quoted, bare] = /^(?:"(0|[1-9]\d{0,15})(?:-[\w-]+)?"|(0|[1-9]\d{0,15}))$/.exec(tag) ?? []
  const version = Number(quoted ?? bare ?? NaN)
  if (!Number.isSafeInteger(version))
    throw new SafepointError('version_invalid', 'If-Match is not one strong tag of a version.')
  return version
}

/** The entity tag of a result that carries a `version`, else `undefined`. */
export function entityTagOf(result: unknown): string | undefined {
  if (typeof result !== 'object' || result === null || !('version' in result)) return undefined
  const { version } = result
  return typeof version === 'number' && Number.isSafeInteger(version) && version >= 0 ? `"${version}"` : undefined
}
