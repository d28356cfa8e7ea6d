export interface SkeletonProps {
  /** What is awaited, for those who do not see it. */
  readonly label: string
  readonly lines?: number
}

/** Where text will stand once it is there; shown after a moment, so that a quick answer does not flash. */
export function Skeleton({ label, lines = 3 }: SkeletonProps) {
  return (
    <div role="status" className="late grid grid-cols-[minmax(0,1fr)] gap-3">
      <span className="sr-only">{label}</span>
      {Array.from({ length: lines }, (_, index) => (
        <span
          key={index}
          aria-hidden="true"
          className={`block h-5 animate-pulse rounded bg-sunken ${index % 2 === 0 ? 'w-full' : 'w-2/3'}`}
        />
      ))}
    </div>
  )
}
