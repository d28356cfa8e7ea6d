import { SafepointError } from '../errors.ts'

/**
 * The version that `If-Match` names (RFC 9110 section 13.1.1): one strong entity tag `"<version>"`, or `"<version>-<more>"` as
 * a read may send it whose representation can change without its version. `undefined` where the header is absent or `*`.
 * Throws `version_invalid` for anything else; a weak tag cannot guard a write.
 */
export function readIfMatch(value: string | undefined): number | undefined {
  const tag = value?.trim()
  if (tag === undefined || tag === '*') return undefined
  const version = Number(/^"(0|[1-9]\d{0,15})(?:-[\w-]+)?"$/.exec(tag)?.[1] ?? NaN)
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
