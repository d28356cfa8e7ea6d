-- The operation engine's tables. One row of safepoint.operation decides each race: its primary key is the gate.

create schema if not exists safepoint;

-- Types instead of check constraints: PostgreSQL prepares each check anew for every insert, which cost the gate a tenth of the
-- throughput of a two-statement operation (bench/overhead). What an update may do is the trigger's to check.
create type safepoint.state as enum ('running', 'undoing', 'succeeded', 'failed', 'cancelled', 'needs_attention');
create type safepoint.undo_target as enum ('cancelled', 'failed');
create type safepoint.cleanup as enum ('pending', 'done', 'needs_attention');

create table safepoint.operation (
  scope text not null,
  key text not null,
  -- one run of a key, for all time; step keys are made from it
  id uuid not null,
  -- null on a key that was cancelled before its operation arrived
  name text,
  fingerprint bytea,
  state safepoint.state not null,
  actor text,
  reason text,
  -- the response as it was first sent: status and headers (JSON), then the exact bytes of the body
  head text,
  body bytea,
  -- what the declared undo needs to know (JSON)
  undo_input text,
  undone_key text,
  undone_at timestamptz,
  cancels integer not null default 0,
  ended_at timestamptz,
  stripped_at timestamptz,
  -- from here on: durable operations only
  epoch integer,
  holder text,
  lease_until timestamptz,
  call_until timestamptz,
  deadline_at timestamptz,
  undo_deadline_at timestamptz,
  -- milliseconds that undoing may take
  undo_for double precision,
  started_at timestamptz,
  input text,
  begun integer,
  -- begun steps that an undo must take back; the rest may be left or swept
  to_undo integer,
  -- begun steps whose leftovers are swept afterwards
  to_sweep integer,
  begun_step text,
  target safepoint.undo_target,
  stopped_at timestamptz,
  cleanup safepoint.cleanup,
  progress text,
  moves integer,
  uncancellable boolean,
  primary key (scope, key)
) with (fillfactor = 95);

-- Whatever is not over: who may be taken over, what is past its deadline, what needs a human. A handful of rows at any time, and
-- one index for all of them, because the gate pays for each.
create index operation_open on safepoint.operation (lease_until)
  where state in ('running', 'undoing', 'needs_attention') or cleanup in ('pending', 'needs_attention');
-- retention walks the table in the order of its ends; a block range index costs an insert nothing
create index operation_ended_at on safepoint.operation using brin (ended_at);

-- Makes a conditional statement that met no row an error, so that a COMMIT sent behind it becomes a ROLLBACK.
create function safepoint.lost() returns boolean language plpgsql as $$
begin
  raise exception 'the operation is no longer in the state this statement expects' using errcode = 'SP001';
end
$$;

create table safepoint.audit (
  scope text not null,
  key text not null,
  seq integer not null,
  id uuid not null,
  from_state safepoint.state,
  to_state safepoint.state not null,
  epoch integer not null,
  holder text,
  actor text,
  reason text,
  at timestamptz not null default clock_timestamp(),
  -- a key whose first run left nothing may have a second one
  primary key (scope, key, id, seq)
);

-- SPEC.md section 5 (states.ts holds the same table), the identity of a row, the epoch's direction, and one gap-free audit
-- row for each change of a durable operation's state.
create function safepoint.check_move() returns trigger language plpgsql as $$
begin
  if new.scope <> old.scope or new.key <> old.key or new.id <> old.id
    or (old.fingerprint is not null and new.fingerprint is distinct from old.fingerprint) then
    raise exception 'an operation keeps its scope, key, id and fingerprint' using errcode = 'SP002';
  end if;
  if new.epoch < old.epoch then
    raise exception 'an epoch never goes back' using errcode = 'SP002';
  end if;
  if (new.state in ('succeeded', 'failed', 'cancelled')) <> (new.ended_at is not null)
    or (new.state = 'undoing' and new.target is null)
    or (new.epoch is null and new.state not in ('succeeded', 'failed', 'cancelled')) then
    raise exception 'an operation in state % cannot look like this', new.state using errcode = 'SP002';
  end if;
  if new.state = old.state then
    return new;
  end if;
  if not (case old.state
    when 'running' then new.state in ('succeeded', 'failed', 'cancelled', 'undoing')
    when 'undoing' then new.state in ('cancelled', 'failed', 'needs_attention')
    when 'needs_attention' then new.state in ('undoing', 'cancelled', 'failed')
    else false
  end) then
    raise exception 'an operation cannot go from % to %', old.state, new.state using errcode = 'SP002';
  end if;
  if new.epoch is not null then
    new.moves := coalesce(old.moves, 0) + 1;
    insert into safepoint.audit (scope, key, seq, id, from_state, to_state, epoch, holder, actor, reason)
    values (new.scope, new.key, new.moves, new.id, old.state, new.state, new.epoch, new.holder, new.actor, new.reason);
  end if;
  return new;
end
$$;

create trigger operation_move before update on safepoint.operation
  for each row execute function safepoint.check_move();

create table safepoint.step (
  scope text not null,
  key text not null,
  -- order in which steps began; undo goes the other way
  position integer not null,
  name text not null,
  -- how often this step had been called before in the same operation
  call integer not null,
  -- what an undo does with it
  leaves text not null,
  -- begun: its outcome is not recorded; absent: settled as never having happened
  state text not null,
  epoch integer not null,
  attempts integer not null default 1,
  request text,
  response text,
  undo_attempts integer not null default 0,
  undo_error text,
  begun_at timestamptz not null default clock_timestamp(),
  attempted_at timestamptz not null default clock_timestamp(),
  settled_at timestamptz,
  primary key (scope, key, position),
  unique (scope, key, name, call),
  foreign key (scope, key) references safepoint.operation (scope, key) on delete cascade,
  constraint step_leaves check (leaves in ('undo', 'keep', 'cleanup')),
  constraint step_state check (state in ('begun', 'done', 'absent', 'undone', 'needs_attention'))
);

-- What a provider answered, whatever the epoch of the asker: only ever appended.
create table safepoint.evidence (
  scope text not null,
  key text not null,
  position integer not null,
  epoch integer not null,
  kind text not null,
  payload text,
  at timestamptz not null default clock_timestamp()
);
create index evidence_of on safepoint.evidence (scope, key, position);

create table safepoint.cancel_event (
  id uuid primary key,
  scope text not null,
  key text not null,
  operation_id uuid,
  operation_name text,
  -- the cancel's own idempotency key: the same call sent again is the same event
  request_key text,
  actor text,
  reason text,
  outcome text not null,
  state text not null,
  noop boolean not null,
  counts text,
  payload text,
  at timestamptz not null default clock_timestamp()
);
create unique index cancel_event_request on safepoint.cancel_event (scope, request_key) where request_key is not null;
create index cancel_event_of on safepoint.cancel_event (scope, key);
create index cancel_event_at on safepoint.cancel_event using brin (at);

-- The same event id with another payload: no effect, but somebody will want to know.
create table safepoint.inbox_conflict (
  scope text not null,
  key text not null,
  fingerprint bytea not null,
  payload text,
  at timestamptz not null default clock_timestamp(),
  primary key (scope, key, fingerprint)
);
