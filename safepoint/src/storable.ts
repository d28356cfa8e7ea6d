/** PostgreSQL's text has no NUL; what a human decides must not fail for how it was explained. */
export const storable = (text: string): string => text.replaceAll('\0', '\uFFFD')
