import type { ComponentProps } from 'react'

export type ButtonVariant = 'primary' | 'plain' | 'quiet' | 'danger'

const looks: Readonly<Record<ButtonVariant, string>> = {
  primary: 'bg-brand text-on-brand hover:bg-brand-hover',
  plain: 'border border-line-strong bg-surface text-ink hover:bg-sunken',
  quiet: 'text-brand underline-offset-4 hover:underline',
  danger: 'border-2 border-bad bg-surface text-bad hover:bg-bad-soft',
}

export interface ButtonProps extends ComponentProps<'button'> {
  readonly variant?: ButtonVariant
  readonly size?: 'normal' | 'large'
  /**
   * What it does is meant for one press: the second of a double click, which may have been for a button that stood here
   * before, does nothing.
   */
  readonly single?: boolean
}

/** At least 44 CSS pixels high (WCAG 2.5.5), except `quiet`, which stands in running text. */
export function Button(props: ButtonProps) {
  const {
    variant = 'plain',
    size = 'normal',
    single = false,
    className = '',
    type = 'button',
    onClick,
    ...rest
  } = props
  const height = variant === 'quiet' ? 'min-h-8' : size === 'large' ? 'min-h-13 px-6 text-lg' : 'min-h-11 px-4'
  return (
    <button
      type={type}
      className={`inline-flex items-center justify-center gap-2 rounded-control font-medium transition-colors disabled:opacity-55 ${height} ${looks[variant]} ${className}`}
      onClick={single ? (event) => event.detail < 2 && onClick?.(event) : onClick}
      {...rest}
    />
  )
}
