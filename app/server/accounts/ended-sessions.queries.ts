import type { Reader } from '../database.ts'

/** Sessions that were ended in the last so many milliseconds. */
export async function listEndedSessions(reader: Reader, milliseconds: number): Promise<string[]> {
  const { rows } = await reader.query<{ id: string }>({
    name: 'accounts_ended_sessions',
    text: `select id from pantry.session where revoked_at > clock_timestamp() - $1::float8 * interval '1 millisecond'`,
    values: [milliseconds],
  })
  return rows.map(({ id }) => id)
}

/** Whether it was the closing of its account that ended it. */
export async function endedByClosing(reader: Reader, sessionId: string): Promise<boolean> {
  const { rows } = await reader.query({
    name: 'accounts_ended_by_closing',
    text: `select from pantry.session where id = $1::uuid and revoked_because = 'account_closed'`,
    values: [sessionId],
  })
  return rows.length === 1
}
