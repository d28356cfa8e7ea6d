-- What an account means to buy one day. Its key makes adding twice the same as once.

create table pantry.wish (
  account_id uuid not null references pantry.account (id) on delete cascade,
  product_id uuid not null references pantry.product (id),
  added_at timestamptz not null default clock_timestamp(),
  primary key (account_id, product_id)
);
