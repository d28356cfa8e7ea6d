/** A form that a page has; the page's own fields, without its buttons. */
export interface PageForm {
  readonly action: string
  readonly fields: Record<string, string>
}

export interface PageView {
  readonly status: number
  readonly location: string | null
  readonly text: string
  /** What the page would post, by a button or by itself. */
  readonly form: PageForm | undefined
}

/** A customer's browser, as far as the hosted page needs one: posts forms, follows nothing by itself. For tests and demos. */
export async function postForm(url: string, fields: Readonly<Record<string, string>>): Promise<PageView> {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual' })
  const text = await response.text()
  return { status: response.status, location: response.headers.get('location'), text, form: readForm(text, url) }
}

/** Presses a button of the hosted page that a shop's form leads to. */
export async function press(
  page: { readonly url: string | null; readonly fields?: Readonly<Record<string, string>> },
  action: 'pay' | 'authorize' | 'silent' | 'decline' | 'leave',
): Promise<PageView> {
  const shown = await postForm(page.url ?? '', page.fields ?? {})
  if (!shown.form) return shown
  return postForm(shown.form.action, { ...shown.form.fields, action })
}

function readForm(html: string, url: string): PageForm | undefined {
  const form = /<form([^>]*)>/.exec(html)
  if (!form) return undefined
  const inputs = html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)
  return {
    action: decode(/action="([^"]*)"/.exec(form[1] ?? '')?.[1] ?? url),
    fields: Object.fromEntries([...inputs].map(([, name = '', value = '']) => [decode(name), decode(value)])),
  }
}

function decode(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
}
