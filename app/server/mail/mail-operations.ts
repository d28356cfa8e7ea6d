import { resendMail } from './resend-mail.ts'
import { sendMail, type SendMailOptions } from './send-mail.ts'

/** The operations on mails. */
export const mailOperations = (options: SendMailOptions) => ({ sendMail: sendMail(options), resendMail })

export type MailOperations = ReturnType<typeof mailOperations>
