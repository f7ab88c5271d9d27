-- Where a version of a plugin failed too often and stands back: on a route of a tenant's system,
-- until trial runs succeed. `owner_id` is whose plugin it is, `tenant_id` whose answers it shapes.
CREATE TABLE bo_plugin_switched_off (
    owner_id  TEXT NOT NULL,
    name      TEXT NOT NULL,
    version   INTEGER NOT NULL,
    tenant_id TEXT NOT NULL,
    sys_id    TEXT NOT NULL,
    route     TEXT NOT NULL,
    code      TEXT NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (owner_id, name, version, tenant_id, sys_id, route)
) STRICT, WITHOUT ROWID;
-- What retention removes.
CREATE INDEX bo_plugin_switched_off_at ON bo_plugin_switched_off (at);
