import type { ErrorCode } from '../protocol.ts'

/** Languages of `title` and `detail`. */
export type Language = 'en' | 'he'

export type Localized = Readonly<Record<Language, string>>

/** How one error code is told over HTTP. */
export interface ProblemKind {
  /** 400 to 599. */
  readonly status: number
  readonly title: Localized
  /**
   * For whoever made the request. `{name}` is replaced by the problem's extension member of that name. Without a detail the
   * message of the error is told, as its author wrote it.
   */
  readonly detail?: Localized
  /** What a client does about it; for the page at `/errors/<code>`. */
  readonly remedy?: string
}

/** An application's own codes. */
export type ProblemTable = Readonly<Record<string, ProblemKind>>

/** What HTTP itself, or the framework, refuses before any operation is reached. */
export type HttpCode =
  | 'malformed_request'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'request_timeout'
  | 'body_too_large'
  | 'uri_too_long'
  | 'unsupported_media_type'
  | 'version_invalid'
  | 'rate_limited'
  | 'headers_too_large'

/**
 * Every code of the engine and of HTTP, with its one status (RFC 9110) and its words. The only place that knows status
 * codes; it does not compile when a code is missing.
 */
export const problemTable: Readonly<Record<ErrorCode | HttpCode, ProblemKind>> = {
  key_required: {
    status: 400,
    title: { en: 'Idempotency key required', he: 'נדרש מפתח אידמפוטנטיות' },
    detail: { en: 'This request needs an Idempotency-Key header.', he: 'בקשה זו מחייבת כותרת Idempotency-Key.' },
    remedy: 'Choose a key (a UUID will do), keep it, send it with the request and again with each retry of it.',
  },
  key_invalid: {
    status: 400,
    title: { en: 'Idempotency key not valid', he: 'מפתח אידמפוטנטיות לא תקין' },
    detail: {
      en: 'A key has 1 to 255 bytes of UTF-8, no control characters, and does not begin with "~"; it may be quoted as in RFC 8941.',
      he: 'מפתח הוא בן 1 עד 255 בתים של UTF-8, ללא תווי בקרה, ואינו מתחיל ב-"~"; אפשר לכתוב אותו במירכאות לפי RFC 8941.',
    },
    remedy: 'Send exactly one Idempotency-Key header with a shorter or cleaner key. Nothing was stored.',
  },
  key_reused: {
    status: 422,
    title: { en: 'Idempotency key used for another request', he: 'מפתח האידמפוטנטיות שימש לבקשה אחרת' },
    detail: {
      en: 'This key was first sent with other content. Nothing was done.',
      he: 'המפתח נשלח תחילה עם תוכן אחר. לא בוצע דבר.',
    },
    remedy: 'Use a new key for a new request; repeat a request under its key without changing it.',
  },
  key_expired: {
    status: 409,
    title: { en: 'Idempotency key has ended', he: 'מפתח האידמפוטנטיות הסתיים' },
    detail: {
      en: 'The operation under this key ended long ago ({state}) and its response is no longer kept. Nothing was done now.',
      he: 'הפעולה תחת מפתח זה הסתיימה מזמן ({state}) ותשובתה אינה נשמרת עוד. לא בוצע דבר כעת.',
    },
    remedy: 'Read the state, then decide: a new key means a new operation.',
  },
  in_progress: {
    status: 409,
    title: { en: 'Operation under way', he: 'הפעולה עדיין מתבצעת' },
    detail: { en: 'The operation under this key has not ended yet.', he: 'הפעולה תחת מפתח זה טרם הסתיימה.' },
    remedy: 'Send the same request under the same key after Retry-After, or watch the operation at its href.',
  },
  not_cancellable: {
    status: 409,
    title: { en: 'Cannot be cancelled', he: 'לא ניתן לביטול' },
    detail: { en: 'This operation takes no cancel.', he: 'פעולה זו אינה ניתנת לביטול.' },
    remedy: 'Wait for its end; the cancel changed nothing.',
  },
  not_undoable: {
    status: 409,
    title: { en: 'Cannot be undone', he: 'לא ניתן לשחזור לאחור' },
    detail: {
      en: 'There is no undo for this operation, or it has not ended well.',
      he: 'לפעולה זו אין ביטול לאחור, או שלא הסתיימה בהצלחה.',
    },
    remedy: 'Read the operation at its href: `undo` says whether it can be undone, and why not.',
  },
  cancelled: {
    status: 409,
    title: { en: 'Cancelled', he: 'בוטל' },
    detail: {
      en: 'This operation was cancelled: nothing is in effect, and nothing will be.',
      he: 'הפעולה בוטלה: דבר אינו בתוקף ולא יהיה.',
    },
    remedy: 'It is final for this key. To do it after all, send the request under a new key.',
  },
  conflict: {
    status: 409,
    title: { en: 'Others changed the same data', he: 'הנתונים שונו בידי אחרים' },
    detail: { en: 'Another change came first; nothing was done.', he: 'שינוי אחר הקדים; לא בוצע דבר.' },
    remedy: 'When `retryable`, send it again under the same key; otherwise read the data afresh and decide.',
  },
  precondition_failed: {
    status: 412,
    title: { en: 'It has changed since', he: 'הנתון השתנה בינתיים' },
    detail: {
      en: 'The version in If-Match is not the one now stored; nothing was done.',
      he: 'הגרסה ב-If-Match אינה הגרסה השמורה; לא בוצע דבר.',
    },
    remedy: 'Read it again (`currentVersion`), apply the change to that, and send it under a new key.',
  },
  input_invalid: {
    status: 422,
    title: { en: 'Input not valid', he: 'קלט לא תקין' },
    detail: { en: 'See `errors` for what is wrong with each field.', he: 'ב-`errors` מפורט מה שגוי בכל שדה.' },
    remedy: 'Correct the fields named in `errors`. Nothing was stored: the key may be used again.',
  },
  unavailable: {
    status: 503,
    title: { en: 'Not available at the moment', he: 'לא זמין כרגע' },
    detail: { en: 'The database cannot be reached; nothing was done.', he: 'מסד הנתונים אינו זמין; לא בוצע דבר.' },
    remedy: 'Send the same request under the same key after Retry-After.',
  },
  indeterminate: {
    status: 503,
    title: { en: 'Outcome not known yet', he: 'התוצאה עדיין אינה ידועה' },
    detail: {
      en: 'The connection was lost while the outcome was being stored. It is done once, or not at all.',
      he: 'החיבור אבד בזמן שמירת התוצאה. היא בוצעה פעם אחת, או לא בוצעה כלל.',
    },
    remedy: 'Send the same request under the same key: the answer is what happened, and nothing happens twice.',
  },
  timeout: {
    status: 504,
    title: { en: 'Not done in time', he: 'לא הושלם בזמן' },
    detail: { en: 'The time allowed had passed; nothing was done.', he: 'הזמן המוקצב חלף; לא בוצע דבר.' },
    remedy: 'Send the same request under the same key again.',
  },
  interrupted: {
    status: 503,
    title: { en: 'Interrupted', he: 'הופסק' },
    detail: {
      en: 'The work was stopped (a lost connection or a shutdown) and rolled back; nothing was done.',
      he: 'העבודה הופסקה (ניתוק או כיבוי) והוחזרה לאחור; לא בוצע דבר.',
    },
    remedy: 'Send the same request under the same key again.',
  },
  unknown_operation: {
    status: 404,
    title: { en: 'No such operation', he: 'אין פעולה כזו' },
    detail: { en: 'There is no trace of an operation under this key.', he: 'אין זכר לפעולה תחת מפתח זה.' },
    remedy: 'Check the key and the account; a key belongs to the account that sent it.',
  },
  internal: {
    status: 500,
    title: { en: 'Something went wrong', he: 'משהו השתבש' },
    detail: {
      en: 'The fault is ours and has been logged. What had not been committed was rolled back.',
      he: 'התקלה אצלנו ונרשמה. מה שלא נשמר הוחזר לאחור.',
    },
    remedy: 'Ask about the operation under its key, or send the same request again: it is done at most once.',
  },
  malformed_request: {
    status: 400,
    title: { en: 'Request not understood', he: 'הבקשה אינה מובנת' },
    detail: { en: 'The URL, a header or the JSON body is malformed.', he: 'הכתובת, כותרת או גוף ה-JSON אינם תקינים.' },
    remedy: 'Send well-formed JSON, with a Content-Type of application/json only where there is a body.',
  },
  unauthenticated: {
    status: 401,
    title: { en: 'Not signed in', he: 'לא מחובר' },
    detail: { en: 'This needs a valid access token.', he: 'נדרש אסימון גישה תקף.' },
    remedy: 'Sign in, or refresh the token, and send the same request under the same key. Nothing was stored.',
  },
  forbidden: {
    status: 403,
    title: { en: 'Not allowed', he: 'אין הרשאה' },
    detail: { en: 'This account may not do that.', he: 'לחשבון זה אין הרשאה לכך.' },
    remedy: 'Use an account that may.',
  },
  not_found: {
    status: 404,
    title: { en: 'Not found', he: 'לא נמצא' },
    detail: { en: 'There is nothing here, or it is not yours.', he: 'אין כאן דבר, או שאינו שלך.' },
    remedy: 'Check the method and the path.',
  },
  request_timeout: {
    status: 408,
    title: { en: 'Request came too slowly', he: 'הבקשה הגיעה לאט מדי' },
    detail: { en: 'The request was not complete in time.', he: 'הבקשה לא הושלמה בזמן.' },
    remedy: 'Send it again under the same key.',
  },
  body_too_large: {
    status: 413,
    title: { en: 'Body too large', he: 'גוף הבקשה גדול מדי' },
    detail: { en: 'The body is larger than this route takes.', he: 'גוף הבקשה גדול מהמותר בנתיב זה.' },
    remedy: 'Send less at once. Nothing was stored.',
  },
  uri_too_long: {
    status: 414,
    title: { en: 'URL too long', he: 'כתובת ארוכה מדי' },
    detail: { en: 'A part of the path is too long.', he: 'חלק בנתיב ארוך מדי.' },
    remedy: 'Keys in a path have at most 255 bytes before they are percent-encoded.',
  },
  unsupported_media_type: {
    status: 415,
    title: { en: 'Media type not supported', he: 'סוג תוכן לא נתמך' },
    detail: { en: 'The body is of a type that this route does not read.', he: 'גוף הבקשה מסוג שהנתיב אינו קורא.' },
    remedy: 'Send application/json where the documentation names nothing else.',
  },
  version_invalid: {
    status: 400,
    title: { en: 'If-Match not valid', he: 'If-Match לא תקין' },
    detail: {
      en: 'If-Match takes one strong entity tag with a version number, such as "3", or *.',
      he: 'If-Match מקבל תג ישות חזק אחד עם מספר גרסה, כגון "3", או *.',
    },
    remedy: 'Send the ETag of what you read, exactly as it was. Weak tags (W/) cannot guard a write.',
  },
  rate_limited: {
    status: 429,
    title: { en: 'Too many requests', he: 'יותר מדי בקשות' },
    detail: { en: 'The limit for this period is used up.', he: 'המכסה לתקופה זו נוצלה.' },
    remedy: 'Wait for Retry-After, then send it under the same key. Nothing was stored.',
  },
  headers_too_large: {
    status: 431,
    title: { en: 'Headers too large', he: 'כותרות גדולות מדי' },
    detail: { en: 'The header fields are larger than this server takes.', he: 'שדות הכותרת גדולים מהמותר בשרת.' },
    remedy: 'Send fewer or shorter headers; a key has at most 255 bytes.',
  },
}

/** Codes of HTTP after which the same request under the same key may be sent again. */
export const retryableHttpCodes: ReadonlySet<string> = new Set<HttpCode>(['rate_limited', 'request_timeout'])
