-- What is sold, how much of it there is, and who holds some of it for how long.

create table pantry.product (
  id uuid primary key,
  -- the seed's and an import's own name for it: filling the catalogue twice changes nothing
  slug text not null unique,
  name text not null,
  description text not null,
  category text not null,
  -- a path on this server
  image text not null,
  price_amount integer not null,
  currency text not null,
  -- what the figures below are for
  per text not null default '100 g',
  energy_kcal numeric(6, 1) not null,
  protein_g numeric(5, 2) not null,
  carbohydrate_g numeric(5, 2) not null,
  sugar_g numeric(5, 2) not null,
  fat_g numeric(5, 2) not null,
  fibre_g numeric(5, 2) not null,
  salt_g numeric(5, 2) not null,
  version integer not null default 1,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  -- a deleted product: cart lines and orders still speak of it
  archived_at timestamptz,
  constraint product_price check (price_amount >= 0),
  constraint product_per check (per in ('100 g', '100 ml')),
  constraint product_currency check (currency ~ '^[A-Z]{3}$'),
  constraint product_nutrition check (
    energy_kcal >= 0 and protein_g >= 0 and carbohydrate_g >= 0 and sugar_g between 0 and carbohydrate_g
    and fat_g >= 0 and fibre_g >= 0 and salt_g >= 0 and protein_g + carbohydrate_g + fat_g <= 101
  )
);
create index product_listing on pantry.product (name, id) where archived_at is null;

create table pantry.variant (
  id uuid primary key,
  product_id uuid not null references pantry.product (id),
  sku text not null unique,
  name text not null,
  -- 0 is the one meant where nobody names a variant
  position integer not null,
  -- added to the product's price; may be negative
  price_difference integer not null default 0,
  -- net content in grams (or millilitres)
  content_g integer not null,
  version integer not null default 1,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  archived_at timestamptz,
  constraint variant_content check (content_g > 0)
);
create unique index variant_of on pantry.variant (product_id, position) where archived_at is null;

-- reserved counts every reservation that is still written as held, the expired ones too; reading and reserving leave those
-- out. The constraints hold for whoever writes, also past the application.
create table pantry.stock (
  variant_id uuid primary key references pantry.variant (id),
  on_hand integer not null default 0,
  reserved integer not null default 0,
  version integer not null default 1,
  updated_at timestamptz not null default clock_timestamp(),
  constraint stock_on_hand check (on_hand >= 0),
  constraint stock_reserved check (reserved >= 0),
  constraint stock_not_oversold check (reserved <= on_hand)
) with (fillfactor = 70);

-- The ledger: the sum of a variant's movements is its on_hand.
create table pantry.stock_movement (
  id uuid primary key,
  variant_id uuid not null references pantry.stock (variant_id),
  delta integer not null,
  reason text not null,
  order_id uuid,
  operation_id uuid,
  actor text,
  note text,
  at timestamptz not null default clock_timestamp(),
  constraint stock_movement_delta check (delta <> 0),
  constraint stock_movement_reason check (reason in ('delivery', 'sale', 'return', 'correction', 'loss'))
);
create index stock_movement_of on pantry.stock_movement (variant_id, at, id);

-- Stock held for an order. It ends at expires_at by the database's clock for whoever reads; a sweep only tidies.
create table pantry.reservation (
  id uuid primary key,
  order_id uuid not null,
  variant_id uuid not null references pantry.stock (variant_id),
  quantity integer not null,
  state text not null default 'held',
  expires_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  constraint reservation_quantity check (quantity > 0),
  constraint reservation_state check (state in ('held', 'booked', 'released', 'expired')),
  constraint reservation_ended check ((state = 'held') = (ended_at is null))
);
create unique index reservation_held on pantry.reservation (order_id, variant_id) where state = 'held';
create index reservation_open on pantry.reservation (variant_id, expires_at) include (quantity) where state = 'held';
create index reservation_due on pantry.reservation (expires_at) where state = 'held';
create index reservation_of_order on pantry.reservation (order_id);
