-- The same for marks. A migration of its own, since whoever writes may hold the two tables in
-- either order.
CREATE FUNCTION bo_not_before_untold() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = on AS $$
DECLARE
    added  BIGINT;
    before BIGINT;
BEGIN
    SELECT count(*) INTO added FROM marked
    JOIN unmarked ON unmarked.owner_id = marked.owner_id AND unmarked.event_id = marked.event_id
    WHERE marked.untold = 1 AND unmarked.untold <> 1;
    IF added > 0 THEN
        UPDATE bo_database_feed_end SET number = number + added RETURNING number - added INTO before;
        INSERT INTO bo_database_feed (number, mark, at)
        SELECT before + row_number() OVER (ORDER BY marked.event_id, marked.owner_id),
               jsonb_build_object('owner_id', marked.owner_id, 'scope', marked.scope, 'subject', marked.subject,
                   'not_before', marked.not_before, 'reason', marked.reason, 'revision', marked.revision,
                   'event_id', marked.event_id),
               floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
        FROM marked JOIN unmarked ON unmarked.owner_id = marked.owner_id AND unmarked.event_id = marked.event_id
        WHERE marked.untold = 1 AND unmarked.untold <> 1;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER bo_not_before_untold AFTER UPDATE ON bo_not_before
    REFERENCING OLD TABLE AS unmarked NEW TABLE AS marked FOR EACH STATEMENT EXECUTE FUNCTION bo_not_before_untold();

-- What was marked before there was a trigger.
WITH marked AS (
    SELECT row_number() OVER (ORDER BY event_id, owner_id) AS number,
           jsonb_build_object('owner_id', owner_id, 'scope', scope, 'subject', subject, 'not_before', not_before,
               'reason', reason, 'revision', revision, 'event_id', event_id) AS mark
    FROM bo_not_before WHERE untold = 1
), moved AS (
    UPDATE bo_database_feed_end SET number = number + (SELECT count(*) FROM marked) RETURNING number
)
INSERT INTO bo_database_feed (number, mark, at)
SELECT moved.number - (SELECT count(*) FROM marked) + marked.number, marked.mark,
       floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
FROM marked CROSS JOIN moved;
