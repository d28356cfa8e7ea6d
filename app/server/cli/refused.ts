/** What was typed is not a command: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** It could not be done, and this is why: exit code 1. */
export class Refused extends Error {
  override readonly name = 'Refused'
}
