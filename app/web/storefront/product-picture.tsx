import { useState } from 'react'
import { PaperBag } from './paper-bag.tsx'

/** A product's picture, or a paper bag where there is none to show. Decoration: the name stands beside it. */
export function ProductPicture({
  name,
  image,
  size,
}: {
  readonly name: string
  /** Undefined: not known yet; empty: there is none. */
  readonly image: string | undefined
  readonly size: 'card' | 'line'
}) {
  const [broken, setBroken] = useState<string>()
  const box =
    size === 'card'
      ? 'size-[min(6rem,24vw)] rounded-control sm:aspect-[4/3] sm:h-auto sm:w-full sm:rounded-tile'
      : 'size-[min(3.5rem,15vw)] rounded-control'
  return (
    <div className={`${box} flex shrink-0 items-center justify-center overflow-hidden bg-sunken`}>
      {image === undefined ? null : image !== '' && image !== broken ? (
        <img
          src={image}
          alt=""
          loading="lazy"
          decoding="async"
          className="picture size-full object-cover"
          onError={() => setBroken(image)}
        />
      ) : (
        <PaperBag name={name} />
      )}
    </div>
  )
}
