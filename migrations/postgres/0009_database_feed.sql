-- What could not be told to the other nodes by way of Redis, numbered without a gap in the order of
-- commits. A node reads on from its own number before it renews its lease. Rows of the outbox go
-- when they are told; these stay for nodes that had no lease then, and so were not waited for.
CREATE TABLE bo_database_feed (
    number  BIGINT NOT NULL PRIMARY KEY,
    session JSONB,
    mark    JSONB,
    at      BIGINT NOT NULL
);
-- What retention removes.
CREATE INDEX bo_database_feed_at ON bo_database_feed (at);

-- The last number. Whoever takes the next one holds the row until the commit.
CREATE TABLE bo_database_feed_end (
    singleton INTEGER NOT NULL PRIMARY KEY CHECK (singleton = 1),
    number    BIGINT  NOT NULL
);
INSERT INTO bo_database_feed_end (singleton, number) VALUES (1, 0);

-- A trigger, so that what a node of the version before this one marks is in the feed as well.
CREATE FUNCTION bo_outbox_untold() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = on AS $$
DECLARE
    added  BIGINT;
    before BIGINT;
BEGIN
    SELECT count(*) INTO added FROM marked JOIN unmarked ON unmarked.event_id = marked.event_id
    WHERE marked.kind = 'session.ended.untold' AND unmarked.kind <> marked.kind;
    IF added > 0 THEN
        UPDATE bo_database_feed_end SET number = number + added RETURNING number - added INTO before;
        INSERT INTO bo_database_feed (number, session, at)
        SELECT before + row_number() OVER (ORDER BY marked.event_id), marked.payload,
               floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
        FROM marked JOIN unmarked ON unmarked.event_id = marked.event_id
        WHERE marked.kind = 'session.ended.untold' AND unmarked.kind <> marked.kind;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER bo_outbox_untold AFTER UPDATE ON bo_outbox
    REFERENCING OLD TABLE AS unmarked NEW TABLE AS marked FOR EACH STATEMENT EXECUTE FUNCTION bo_outbox_untold();

-- What was marked before there was a trigger.
INSERT INTO bo_database_feed (number, session, at)
SELECT row_number() OVER (ORDER BY event_id), payload, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
FROM bo_outbox WHERE kind = 'session.ended.untold';
UPDATE bo_database_feed_end SET number = (SELECT count(*) FROM bo_database_feed);
