-- The name of this deployment: nodes that share a Redis with others meet only those of their own database.
CREATE TABLE bo_deployment (
    singleton     INTEGER NOT NULL PRIMARY KEY CHECK (singleton = 1),
    deployment_id TEXT    NOT NULL
);

-- What could not be told to the other nodes by way of Redis; each of them looks here before it renews its lease.
CREATE INDEX bo_outbox_untold ON bo_outbox (event_id) WHERE kind = 'session.ended.untold';
