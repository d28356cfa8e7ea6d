export type StartPostgresCode =
  | 'unsupported_platform'
  | 'no_binaries'
  | 'port_in_use'
  | 'data_dir_in_use'
  | 'wrong_version'
  | 'start_failed'

/** Thrown by `startPostgres`; `message` is a sentence for whoever typed the command. */
export interface StartPostgresError extends Error {
  code: StartPostgresCode
}

export function startPostgresError(code: StartPostgresCode, message: string, cause?: unknown): StartPostgresError {
  const error = new Error(message, cause === undefined ? undefined : { cause })
  error.name = 'StartPostgresError'
  return Object.assign(error, { code })
}
