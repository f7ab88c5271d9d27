-- What could not be told to the other nodes by way of Redis, numbered without a gap in the order of
-- commits. A node reads on from its own number before it renews its lease. Rows of the outbox go
-- when they are told; these stay for nodes that had no lease then, and so were not waited for.
CREATE TABLE bo_database_feed (
    number  INTEGER NOT NULL PRIMARY KEY,
    session TEXT,
    mark    TEXT,
    at      INTEGER NOT NULL
) STRICT;
-- What retention removes.
CREATE INDEX bo_database_feed_at ON bo_database_feed (at);

-- The last number.
CREATE TABLE bo_database_feed_end (
    singleton INTEGER NOT NULL PRIMARY KEY CHECK (singleton = 1),
    number    INTEGER NOT NULL
) STRICT;
INSERT INTO bo_database_feed_end (singleton, number) VALUES (1, 0);

-- A trigger, so that what a process of the version before this one marks is in the feed as well.
CREATE TRIGGER bo_outbox_untold AFTER UPDATE OF kind ON bo_outbox
WHEN NEW.kind = 'session.ended.untold' AND OLD.kind <> NEW.kind
BEGIN
    UPDATE bo_database_feed_end SET number = number + 1;
    INSERT INTO bo_database_feed (number, session, at)
    SELECT number, NEW.payload, CAST(round(unixepoch('subsec') * 1000) AS INTEGER) FROM bo_database_feed_end;
END;

-- What was marked before there was a trigger.
INSERT INTO bo_database_feed (number, session, at)
SELECT row_number() OVER (ORDER BY event_id), payload, CAST(round(unixepoch('subsec') * 1000) AS INTEGER)
FROM bo_outbox WHERE kind = 'session.ended.untold';
UPDATE bo_database_feed_end SET number = (SELECT count(*) FROM bo_database_feed);
