import { testCard } from './pages.ts'

export interface PageView {
  readonly status: number
  /** Where the page sends the customer. */
  readonly location: string | null
  readonly text: string
}

/** A customer on the hosted page, who follows nothing by himself. For tests and demos. */
export async function press(
  page: { readonly url: string | null },
  action: 'pay' | 'decline' | 'leave',
  card = testCard,
): Promise<PageView> {
  return view(
    await fetch(page.url ?? '', { method: 'POST', body: new URLSearchParams({ action, card }), redirect: 'manual' }),
  )
}

export async function open(page: { readonly url: string | null }): Promise<PageView> {
  return view(await fetch(page.url ?? ''))
}

async function view(response: Response): Promise<PageView> {
  return { status: response.status, location: response.headers.get('location'), text: await response.text() }
}
