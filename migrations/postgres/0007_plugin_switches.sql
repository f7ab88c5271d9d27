-- Where a version of a plugin failed too often and stands back: on a route of a tenant's system,
-- until trial runs succeed. `owner_id` is whose plugin it is, `tenant_id` whose answers it shapes.
CREATE TABLE bo_plugin_switched_off (
    owner_id  TEXT COLLATE "C" NOT NULL,
    name      TEXT COLLATE "C" NOT NULL,
    version   BIGINT NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    sys_id    TEXT COLLATE "C" NOT NULL,
    route     TEXT NOT NULL,
    code      TEXT NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (owner_id, name, version, tenant_id, sys_id, route)
);
-- What retention removes.
CREATE INDEX bo_plugin_switched_off_at ON bo_plugin_switched_off (at);
