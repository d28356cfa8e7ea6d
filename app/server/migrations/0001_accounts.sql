-- People, and the sessions they are logged in with.

create schema if not exists pantry;

create table pantry.account (
  id uuid primary key,
  -- as it was typed; email_key is what makes it one person's
  email text not null,
  email_key text not null,
  name text not null,
  role text not null default 'customer',
  password_hash text not null,
  -- raised by each change of the password: a log-in that was checked against an older one opens no session
  credential_version integer not null default 1,
  version integer not null default 1,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  closed_at timestamptz,
  constraint account_role check (role in ('customer', 'admin')),
  constraint account_email_key check (email_key = lower(email_key) and email_key <> '')
);
create unique index account_email on pantry.account (email_key) where closed_at is null;

-- One log-in on one device: the family of its refresh tokens.
create table pantry.session (
  id uuid primary key,
  account_id uuid not null references pantry.account (id) on delete cascade,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  revoked_because text,
  constraint session_revoked check ((revoked_at is null) = (revoked_because is null)),
  constraint session_revoked_because check (revoked_because in ('logout', 'token_reused', 'password_changed', 'account_closed', 'administrator'))
);
create index session_of on pantry.session (account_id);

-- Holds no secret: a token is its id with a MAC over it, made with the server's key.
create table pantry.refresh_token (
  id uuid primary key,
  session_id uuid not null references pantry.session (id) on delete cascade,
  generation integer not null,
  created_at timestamptz not null default clock_timestamp(),
  used_at timestamptz,
  unique (session_id, generation)
);
-- at most one token of a session can still be exchanged
create unique index refresh_token_unused on pantry.refresh_token (session_id) where used_at is null;
