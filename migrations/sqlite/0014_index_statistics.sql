-- How far the indexes narrow a search down. Knowing nothing, SQLite takes the key of a table for as
-- good as an index of which more columns are given, and walks through all sessions of a tenant for
-- those of one user. A later ANALYZE replaces these figures. The first line makes the table of
-- figures and measures nothing.
ANALYZE sqlite_schema;
DELETE FROM sqlite_stat1 WHERE tbl IN ('bo_session', 'bo_audit_event');
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('bo_session', 'bo_session', '1000000 100000 1'),
    ('bo_session', 'bo_session_live', '1000000 100000 10 1'),
    ('bo_session', 'bo_session_kept', '1000000 10 10 1'),
    ('bo_session', 'bo_session_expiry', '1000000 10 10 1'),
    ('bo_audit_event', 'bo_audit_event', '1000000 100000 1'),
    ('bo_audit_event', 'bo_audit_event_user', '1000000 100000 100 1'),
    ('bo_audit_event', 'bo_audit_event_at', '1000000 10 10 1');
ANALYZE sqlite_schema;
