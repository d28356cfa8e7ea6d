-- Addresses. Orders keep their own copy.

create table pantry.address (
  id uuid primary key,
  account_id uuid not null references pantry.account (id) on delete cascade,
  name text not null,
  line1 text not null,
  line2 text,
  city text not null,
  region text,
  postal_code text not null,
  country text not null,
  phone text,
  -- what makes two addresses equal
  content_key text not null generated always as (
    md5(
      name || e'\x1f' || line1 || e'\x1f' || coalesce(line2, '') || e'\x1f' || city || e'\x1f' || coalesce(region, '') || e'\x1f'
      || postal_code || e'\x1f' || country || e'\x1f' || coalesce(phone, '')
    )
  ) stored,
  version integer not null default 1,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  deleted_at timestamptz,
  constraint address_country check (country ~ '^[A-Z]{2}$')
);
create unique index address_once on pantry.address (account_id, content_key) where deleted_at is null;
create index address_of on pantry.address (account_id, id);
