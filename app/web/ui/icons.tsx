import type { ReactNode } from 'react'

/** Line icons drawn here, 20 × 20; decoration only, so they are hidden from assistive technology. */
function Icon({ children }: { readonly children: ReactNode }) {
  return (
    <svg
      viewBox="0 0 20 20"
      width="20"
      height="20"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      className="shrink-0"
    >
      {children}
    </svg>
  )
}

export const BasketIcon = () => (
  <Icon>
    <path d="M2.5 8h15l-1.4 7.6a1.5 1.5 0 0 1-1.5 1.2H5.4a1.5 1.5 0 0 1-1.5-1.2L2.5 8Z" />
    <path d="m6 8 2.6-5M14 8l-2.6-5M8 11.2v2.6M12 11.2v2.6" />
  </Icon>
)

export const SearchIcon = () => (
  <Icon>
    <circle cx="9" cy="9" r="5.5" />
    <path d="m13.2 13.2 4 4" />
  </Icon>
)

export const CloseIcon = () => (
  <Icon>
    <path d="m5 5 10 10M15 5 5 15" />
  </Icon>
)

export const PlusIcon = () => (
  <Icon>
    <path d="M10 4.5v11M4.5 10h11" />
  </Icon>
)

export const MinusIcon = () => (
  <Icon>
    <path d="M4.5 10h11" />
  </Icon>
)

export const PersonIcon = () => (
  <Icon>
    <circle cx="10" cy="6.5" r="3.2" />
    <path d="M3.5 17c.6-3.5 3.2-5.3 6.5-5.3s5.9 1.8 6.5 5.3" />
  </Icon>
)

/** Filled: it is wanted. */
export const HeartIcon = ({ filled }: { readonly filled: boolean }) => (
  <Icon>
    <path
      fill={filled ? 'currentColor' : 'none'}
      d="M10 16.6 3.8 10.5a3.9 3.9 0 0 1 5.5-5.6l.7.8.7-.8a3.9 3.9 0 0 1 5.5 5.6L10 16.6Z"
    />
  </Icon>
)
