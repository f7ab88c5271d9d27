-- Sessions that began before their user's, system's or tenant's `not_before` are refused, for this reason.
ALTER TABLE bo_project ADD COLUMN not_before_reason INTEGER NOT NULL DEFAULT 2;
ALTER TABLE bo_system ADD COLUMN not_before_reason INTEGER NOT NULL DEFAULT 2;
ALTER TABLE bo_user ADD COLUMN not_before_reason INTEGER NOT NULL DEFAULT 2;

-- Counts what nodes must know of a tenant's rows before they answer again: disabled, systems, keys, settings.
ALTER TABLE bo_project ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE bo_project ADD COLUMN revised_at BIGINT NOT NULL DEFAULT 0;

-- What nodes read when they start, and again since the last time.
CREATE INDEX bo_project_revised ON bo_project (revised_at) WHERE revised_at > 0;
CREATE INDEX bo_system_not_before ON bo_system (not_before) WHERE not_before > 0;
CREATE INDEX bo_user_not_before ON bo_user (not_before, owner_id, user_id) WHERE not_before > 0;

-- Marks whose sessions are still to be ended one by one, with an event each. Rows live until that is done.
CREATE TABLE bo_not_before (
    owner_id      TEXT COLLATE "C" NOT NULL,
    event_id      BIGINT NOT NULL,
    scope         TEXT NOT NULL,
    subject       TEXT COLLATE "C",
    not_before    BIGINT NOT NULL,
    reason        INTEGER NOT NULL,
    revision      BIGINT NOT NULL,
    actor         TEXT NOT NULL,
    trace         JSONB NOT NULL,
    at            BIGINT NOT NULL,
    untold        BIGINT NOT NULL DEFAULT 0,
    claimed_until BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (owner_id, event_id)
);
-- What could not be told by way of Redis; each node looks here before it renews its lease.
CREATE INDEX bo_not_before_untold ON bo_not_before (event_id) WHERE untold = 1;
