-- The index that decides each race must not depend on the collation of the operating system: when that changes (a new glibc under
-- the same data, which PostgreSQL can only warn of), an index in its order may no longer find what is in it, and a key could be
-- taken twice. Keys are bytes, and compared as bytes; which is also the cheapest way. The indexes are built anew, under a lock.
alter table safepoint.operation alter column scope type text collate "C", alter column key type text collate "C";
alter table safepoint.open_operation alter column scope type text collate "C", alter column key type text collate "C";
alter table safepoint.step alter column scope type text collate "C", alter column key type text collate "C",
  alter column name type text collate "C";
alter table safepoint.evidence alter column scope type text collate "C", alter column key type text collate "C";
alter table safepoint.audit alter column scope type text collate "C", alter column key type text collate "C";
alter table safepoint.cancel_event alter column scope type text collate "C", alter column key type text collate "C",
  alter column request_key type text collate "C";
alter table safepoint.inbox_conflict alter column scope type text collate "C", alter column key type text collate "C";
