import { useEffect, useRef, type ReactNode } from 'react'

/**
 * A heading that takes the focus when it appears: what had the focus before (the button that was pressed) is gone, and a
 * keyboard or screen reader should go on from here. Never a button instead, which a held Enter would press.
 */
export function SpokenHeading({
  className = '',
  children,
}: {
  readonly className?: string
  readonly children: ReactNode
}) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus(), [])
  return (
    <h3 ref={heading} tabIndex={-1} className={`text-2xl outline-none ${className}`}>
      {children}
    </h3>
  )
}
