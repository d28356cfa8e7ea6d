import { useOnline } from '../api/connection.ts'
import { messages } from '../messages.ts'

/** Stays while the device is offline, over the page wherever it is scrolled to. The live region is there before its words are, or nobody would hear them. */
export function ConnectionNotice() {
  const online = useOnline()
  return (
    <div role="status">
      {!online && (
        <p className="fixed inset-x-4 bottom-24 z-10 mx-auto w-fit rounded-control bg-warn-soft px-5 py-2 text-center text-sm text-warn shadow-sheet lg:bottom-6">
          {messages.shop.offline}
        </p>
      )}
    </div>
  )
}
