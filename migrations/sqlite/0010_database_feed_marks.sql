-- The same for marks.
CREATE TRIGGER bo_not_before_untold AFTER UPDATE OF untold ON bo_not_before
WHEN NEW.untold = 1 AND OLD.untold <> 1
BEGIN
    UPDATE bo_database_feed_end SET number = number + 1;
    INSERT INTO bo_database_feed (number, mark, at)
    SELECT number,
           json_object('owner_id', NEW.owner_id, 'scope', NEW.scope, 'subject', NEW.subject, 'not_before', NEW.not_before,
               'reason', NEW.reason, 'revision', NEW.revision, 'event_id', NEW.event_id),
           CAST(round(unixepoch('subsec') * 1000) AS INTEGER)
    FROM bo_database_feed_end;
END;

-- What was marked before there was a trigger.
INSERT INTO bo_database_feed (number, mark, at)
SELECT (SELECT number FROM bo_database_feed_end) + row_number() OVER (ORDER BY event_id, owner_id),
       json_object('owner_id', owner_id, 'scope', scope, 'subject', subject, 'not_before', not_before, 'reason', reason,
           'revision', revision, 'event_id', event_id),
       CAST(round(unixepoch('subsec') * 1000) AS INTEGER)
FROM bo_not_before WHERE untold = 1;
UPDATE bo_database_feed_end SET number = max(number, (SELECT coalesce(max(number), 0) FROM bo_database_feed));
