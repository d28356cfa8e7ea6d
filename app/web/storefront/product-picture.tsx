import { useState } from 'react'

/** A product's picture, or its initial on a tinted ground where there is none to show. Decoration: the name stands beside it. */
export function ProductPicture({
  name,
  image,
  size,
}: {
  readonly name: string
  readonly image: string | undefined
  readonly size: 'card' | 'line'
}) {
  const [broken, setBroken] = useState<string>()
  const box =
    size === 'card'
      ? 'size-24 rounded-control sm:aspect-[4/3] sm:h-auto sm:w-full sm:rounded-tile'
      : 'size-14 rounded-control'
  return (
    <div className={`${box} flex shrink-0 items-center justify-center overflow-hidden bg-sunken`}>
      {image && image !== broken ? (
        <img
          src={image}
          alt=""
          loading="lazy"
          decoding="async"
          className="size-full object-cover"
          onError={() => setBroken(image)}
        />
      ) : (
        <span
          aria-hidden="true"
          className={`font-display text-line-strong ${size === 'card' ? 'text-6xl' : 'text-2xl'}`}
        >
          {name.slice(0, 1)}
        </span>
      )}
    </div>
  )
}
