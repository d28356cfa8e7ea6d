import { useOnline } from '../api/connection.ts'
import { messages } from '../messages.ts'

/** Stays while the device is offline. The live region is there before its words are, or nobody would hear them. */
export function ConnectionNotice() {
  const online = useOnline()
  return (
    <div role="status">
      {!online && <p className="bg-warn-soft px-5 py-2 text-center text-sm text-warn">{messages.shop.offline}</p>}
    </div>
  )
}
