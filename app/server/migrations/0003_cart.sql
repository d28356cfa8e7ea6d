-- Carts. The first index is why ten tabs of a new user get one cart.

create table pantry.cart (
  id uuid primary key,
  account_id uuid not null references pantry.account (id) on delete cascade,
  state text not null default 'active',
  -- raised by every change of the cart or its lines
  version integer not null default 1,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint cart_state check (state in ('active', 'ordered', 'merged')),
  unique (id, account_id)
) with (fillfactor = 70);
create unique index cart_active on pantry.cart (account_id) where state = 'active';
create index cart_of on pantry.cart (account_id, id);

create table pantry.cart_item (
  id uuid primary key,
  cart_id uuid not null references pantry.cart (id) on delete cascade,
  variant_id uuid not null references pantry.variant (id),
  quantity integer not null,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint cart_item_quantity check (quantity between 1 and 999),
  constraint cart_item_once unique (cart_id, variant_id)
) with (fillfactor = 70);
create index cart_item_variant on pantry.cart_item (variant_id);
