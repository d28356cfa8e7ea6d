-- What is not over, in a table of its own: who may be taken over, what is past its deadline, what needs a human. A handful of rows
-- at any time. A partial index did this before, and a block range index served retention; every gate paid for both, for PostgreSQL
-- prepares the predicate of a partial index anew for every insert: a third of what the gate costs the server (bench/overhead).
create table safepoint.open_operation (
  scope text not null,
  key text not null,
  primary key (scope, key),
  -- a row that is withdrawn, because nothing had been done, takes its entry along
  foreign key (scope, key) references safepoint.operation on delete cascade
);

insert into safepoint.open_operation (scope, key)
select scope, key from safepoint.operation
where state in ('running', 'undoing', 'needs_attention') or cleanup in ('pending', 'needs_attention');

drop index safepoint.operation_open;
drop index safepoint.operation_ended_at;

-- An operation that begins to run is entered by the statement that starts it; here it leaves. None comes back.
create function safepoint.close_operation() returns trigger language plpgsql as $$
begin
  delete from safepoint.open_operation where scope = new.scope and key = new.key;
  return null;
end
$$;

create trigger operation_close after update on safepoint.operation for each row
  when (
    (old.state in ('running', 'undoing', 'needs_attention') or old.cleanup in ('pending', 'needs_attention'))
    and new.state in ('succeeded', 'failed', 'cancelled')
    and (new.cleanup is null or new.cleanup = 'done')
  )
  execute function safepoint.close_operation();
