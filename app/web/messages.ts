/**
 * Every word the pages say. A language is one more entry of `catalogues`; the compiler asks for each message. Components
 * use logical sides (start, end), so that a right-to-left language needs nothing but its entry.
 */

const number = new Intl.NumberFormat('en')
const count = (n: number, one: string, many: string) => `${number.format(n)} ${n === 1 ? one : many}`

const english = {
  shop: {
    name: 'Pantry',
    tagline: 'Good food, kept simple.',
    skip: 'Skip to the groceries',
    title: 'Groceries',
  },
  search: {
    label: 'Search the groceries',
    placeholder: 'Lentils, mango, bread…',
    found: (n: number) => (n === 0 ? 'Nothing found' : count(n, 'product', 'products')),
    nothing: (words: string) => `We have nothing called “${words}”. Try a shorter word.`,
    clear: 'Show everything',
    more: 'Show more',
  },
  product: {
    variant: (name: string) => `Choose a size of ${name}`,
    add: 'Add',
    addNamed: (name: string) => `Add ${name} to the basket`,
    adding: 'Adding…',
    soldOut: 'Sold out',
    few: (n: number) => `Only ${number.format(n)} left`,
    stock: (n: number) => `${number.format(n)} in stock`,
    nutrition: 'Nutrition',
    per: (amount: string) => `Per ${amount}`,
    energy: 'Energy',
    protein: 'Protein',
    carbohydrate: 'Carbohydrate',
    sugar: 'of which sugar',
    fat: 'Fat',
    fibre: 'Fibre',
    salt: 'Salt',
    kcal: (n: number) => `${number.format(n)} kcal`,
    grams: (n: number) => `${number.format(n)} g`,
  },
  basket: {
    title: 'Your basket',
    open: (n: number) => `Open the basket, ${count(n, 'item', 'items')}`,
    short: 'Basket',
    items: (n: number) => count(n, 'item', 'items'),
    empty: 'Nothing in it yet.',
    emptyHint: 'What you add is kept for you on every device.',
    guest: 'Sign in and your basket is kept for you on every device.',
    each: (price: string) => `${price} each`,
    quantity: (name: string) => `Quantity of ${name}`,
    fewer: (name: string) => `One ${name} fewer`,
    more: (name: string) => `One ${name} more`,
    remove: 'Remove',
    removeNamed: (name: string) => `Remove ${name}`,
    unavailable: 'No longer available in this quantity',
    unavailableHint: 'Change or remove what is no longer available, then check out.',
    total: 'Total',
    checkout: 'Check out',
    added: (name: string) => `${name} is in your basket.`,
  },
  account: {
    title: 'Your account',
    signIn: 'Sign in',
    register: 'Create an account',
    signOut: 'Sign out',
    signedInAs: (name: string) => `Signed in as ${name}`,
    email: 'Email',
    password: 'Password',
    passwordHint: 'At least 8 characters.',
    name: 'Name',
    toRegister: 'New here? Create an account',
    toSignIn: 'Have an account? Sign in',
    demo: 'Try a demo account',
    demoRoles: { admin: 'Administrator', customer: 'Customer' },
    demoHint: 'Fills the form; then press Sign in.',
    working: 'One moment…',
  },
  address: {
    title: 'Where to',
    add: 'Add an address',
    save: 'Save address',
    cancel: 'Back',
    name: 'Full name',
    line1: 'Street and number',
    line2: 'Flat, floor (optional)',
    city: 'City',
    region: 'State (optional)',
    postalCode: 'Postal code',
    country: 'Country',
    countryHint: 'Two letters: IN, IL, GB…',
    phone: 'Phone (optional)',
  },
  card: {
    title: 'Pay with',
    hint: 'Test cards: no real money moves.',
    visa: 'A card that works',
    visaDetail: 'Visa •••• 4242',
    slow: 'A slow card',
    slowDetail: 'The bank takes about four seconds: time to press Cancel',
    declined: 'A card that is declined',
    declinedDetail: 'Visa •••• 0002',
  },
  checkout: {
    title: 'Checkout',
    needAddress: 'Add an address first.',
    pay: (total: string) => `Pay ${total}`,
    payNow: 'Pay now',
    payNote: 'You can cancel while the payment is on its way, and are told what really happened.',
    placing: 'Setting your groceries aside',
    paying: 'Charging your card',
    stepDone: 'done',
    stepNow: 'now',
    stepNext: 'next',
    running: 'Payment in progress',
    doNotWorry: 'You may close or reload this page: we will tell you how it ended when you are back.',
    cancel: 'Cancel',
    cancelling: 'Cancelling…',
    cancelAsked: 'Asking the server to stop…',
    held: (id: string) => `Order #${id} is set aside for you, and nothing has been charged.`,
    heldHint: 'Pay for it now, or let it go and get your basket back.',
    letGo: 'Let it go',
    lettingGo: 'Letting it go…',
    backToShop: 'Back to the groceries',
  },
  verdict: {
    cancelled: 'Cancelled: nothing was charged, nothing was ordered.',
    takenBack: 'Cancelled: nothing was ordered, and no charge remains.',
    takenBackHint: 'Should your bank have taken the money already, it has been given back.',
    basketReturning: 'Your groceries are going back into your basket…',
    basketReturned: 'Your basket is as it was.',
    basketUnknown: 'Your groceries stay set aside for a while, then return to your basket by themselves.',
    ordered: (id: string) => `Thank you. Order #${id} is paid.`,
    tooLate: (id: string) => `Too late: the order went through: #${id}.`,
    tooLateHint: 'The payment had already ended when your cancel arrived. You can still undo it.',
    undo: 'Undo (refund)',
    undoing: (step: number, total: number) =>
      total > 0 ? `Being undone: step ${number.format(step)} of ${number.format(total)}…` : 'Being undone…',
    undoingHint: 'Your cancel was in time. What had been started is being taken back.',
    waiting: 'Your bank has not decided yet.',
    waitingHint: 'Your order goes out as soon as it has. Until then it is set aside for you.',
    refunding: 'Undoing the order and refunding your card…',
    refunded: (id: string) => `Undone: order #${id} is cancelled and your card was refunded.`,
    undoRefused: 'The order could not be undone.',
    unknown: 'We do not know yet, we keep asking.',
    unknownHint: 'The server does not answer. Your request is kept and cannot happen twice.',
    retryNow: 'Ask again now',
    declined: 'The card was declined; nothing was charged.',
    busy: 'This order is being paid, or has been paid, in another window.',
    releaseRefused: 'The order could not be let go.',
    refused: 'That did not work; nothing was charged.',
    needsAttention: 'One step could not be taken back by itself. A person is looking at it and will write to you.',
    slip: 'What happened',
    slipCharged: 'Charged',
    slipRemains: 'Charge that remains',
    slipRefunded: 'Refunded',
    slipOrdered: 'Ordered',
    slipSetAside: 'Set aside, unpaid',
    slipNothing: 'nothing',
    slipNotKnown: 'not known yet',
    details: 'Details',
    key: 'Operation key',
    state: 'Look at its state',
    stateLoading: 'Asking…',
    stateFailed: 'The state could not be read.',
  },
  problem: {
    offline: 'The shop does not answer. Check your connection; nothing was lost.',
    codes: {
      cart_changed: 'Your basket or a price has changed. Look at the new total and try again.',
      cart_empty: 'Your basket is empty.',
      cart_not_found: 'This basket has been ordered already.',
      out_of_stock: 'There is not enough of it left.',
      order_cancelled: 'This order had already been cancelled.',
      credentials_invalid: 'That email and password do not belong together.',
      email_taken: 'There is an account with this email. Sign in instead.',
      unauthenticated: 'Please sign in again.',
    } as Readonly<Record<string, string>>,
  },
  close: 'Close',
  tryAgain: 'Try again',
}

export type Messages = typeof english

interface Catalogue {
  readonly messages: Messages
  readonly locale: string
  readonly direction: 'ltr' | 'rtl'
}

const catalogues = {
  en: { messages: english, locale: 'en-IN', direction: 'ltr' },
} satisfies Record<string, Catalogue>

/** The first of the reader's languages that there is a catalogue for, else English. */
function chooseCatalogue(languages: readonly string[]): { readonly language: string } & Catalogue {
  for (const wanted of languages) {
    const language = wanted.split('-')[0] ?? ''
    if (language in catalogues) return { language, ...catalogues[language as keyof typeof catalogues] }
  }
  return { language: 'en', ...catalogues.en }
}

export const { language, locale, direction, messages } = chooseCatalogue(
  typeof navigator === 'undefined' ? [] : navigator.languages,
)
