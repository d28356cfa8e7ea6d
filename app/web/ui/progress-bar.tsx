/** `value` from 0 to 1; without it the end is not known and the bar only shows that something is under way. */
export function ProgressBar({ label, value }: { readonly label: string; readonly value?: number | undefined }) {
  const known = value !== undefined
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(known ? { 'aria-valuenow': Math.round(value * 100) } : {})}
      className="relative h-1.5 overflow-hidden rounded-full bg-sunken"
    >
      <div
        className={`absolute inset-y-0 rounded-full bg-brand ${known ? 'start-0 transition-[width] duration-300' : 'indeterminate w-2/5'}`}
        style={known ? { width: `${Math.round(value * 100)}%` } : undefined}
      />
    </div>
  )
}
