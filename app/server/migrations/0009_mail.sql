-- Mails go out: in the language of the account, once each, and again later while the relay puts them off.

alter table pantry.account
  add column locale text not null default 'en',
  add constraint account_locale check (locale in ('en', 'he'));

alter table pantry.mail
  add column locale text not null default 'en',
  -- as it was when the mail was queued: sent again, it goes to the same mailbox
  add column recipient text,
  -- each try is a run of mail.send under a key of its own; `first_round` is where the back-off began to count
  add column round integer not null default 1,
  add column first_round integer not null default 1,
  add column due_at timestamptz not null default clock_timestamp(),
  add column failure text,
  add constraint mail_locale check (locale in ('en', 'he')),
  add constraint mail_round check (round >= first_round and first_round >= 1),
  add constraint mail_failure check ((state = 'failed') = (failure is not null));

update pantry.mail m set recipient = a.email from pantry.account a where a.id = m.account_id;
alter table pantry.mail alter column recipient set not null;

-- what the sweep reads, the longest due first
drop index pantry.mail_queued;
create index mail_due on pantry.mail (due_at, id) where state = 'queued';
create index mail_of_account on pantry.mail (account_id, id desc);

-- What each try came to, for whoever asks why a mail did not arrive.
create table pantry.mail_try (
  mail_id uuid not null references pantry.mail (id) on delete cascade,
  round integer not null,
  outcome text not null,
  -- the relay's own words
  reply text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (mail_id, round),
  constraint mail_try_outcome check (outcome in ('accepted', 'deferred', 'refused', 'unknown'))
);

-- A link to choose a new password by. Holds no secret: the token in the link is the id with a MAC over it, made with the
-- server's key, so that neither this table nor the outbox tells it.
create table pantry.password_reset (
  id uuid primary key,
  account_id uuid not null references pantry.account (id) on delete cascade,
  -- of the password it replaces: a change of password ends every link sent before it
  credential_version integer not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  used_at timestamptz
);
create index password_reset_of on pantry.password_reset (account_id, created_at desc);
