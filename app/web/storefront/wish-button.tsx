import { messages } from '../messages.ts'
import { HeartIcon } from '../ui/icons.tsx'

export interface WishButtonProps {
  readonly name: string
  readonly wished: boolean
  readonly onWish: () => void
}

/** On a product's picture: larger to a finger than to the eye. */
export function WishButton({ name, wished, onWish }: WishButtonProps) {
  return (
    <button
      type="button"
      aria-pressed={wished}
      aria-label={messages.wishlist.wish(name)}
      title={wished ? messages.wishlist.takeOff : messages.wishlist.put}
      onClick={onWish}
      className="group absolute end-0 top-0 flex size-11 items-center justify-center rounded-full"
    >
      <span
        className={`flex size-8 items-center justify-center rounded-full bg-surface transition-colors group-hover:bg-brand-soft ${wished ? 'text-bad' : 'text-muted'}`}
      >
        <HeartIcon filled={wished} />
      </span>
    </button>
  )
}
