import type { Locale } from '../../accounts/accounts.ts'
import { renderLetter, type RenderedMail } from '../letter.ts'

export interface PasswordResetData {
  /** Opens the page on which a new password is chosen; good once. */
  readonly url: string
  readonly validMinutes: number
}

/** A link to choose a new password by. */
export function passwordReset({ url, validMinutes }: PasswordResetData, locale: Locale): RenderedMail {
  const [subject, text, link, otherwise] = {
    en: [
      'Choose a new password',
      `Somebody, probably you, asked for a new password for this address. The link is good once, for ${validMinutes} minutes.`,
      'Choose a new password',
      'If it was not you, there is nothing to do: your password stays as it is.',
    ] as const,
    he: [
      'בחירת סיסמה חדשה',
      `מישהו, כנראה את או אתה, ביקש סיסמה חדשה לכתובת זו. הקישור תקף פעם אחת, למשך ${validMinutes} דקות.`,
      'לבחירת סיסמה חדשה',
      'אם הבקשה לא נשלחה על ידך, אין צורך לעשות דבר: הסיסמה נשארת כפי שהיא.',
    ] as const,
  }[locale]
  return renderLetter(
    {
      subject,
      parts: [
        { part: 'paragraph', text },
        { part: 'link', text: link, url },
        { part: 'paragraph', text: otherwise },
      ],
    },
    locale,
  )
}
