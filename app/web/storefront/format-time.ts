import { locale } from '../messages.ts'

const both = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' })
const day = new Intl.DateTimeFormat(locale, { dateStyle: 'medium' })
const clock = new Intl.DateTimeFormat(locale, { timeStyle: 'medium' })

/** ISO 8601 in, the reader's own time zone out. */
export const formatTime = (at: string): string => both.format(new Date(at))
export const formatDay = (at: string): string => day.format(new Date(at))
/** To the second: several steps of a payment happen within one. */
export const formatClock = (at: string): string => clock.format(new Date(at))
