-- Administrators: users of the tenant that is reserved for them, with what they may reach.
CREATE TABLE bo_admin (
    owner_id       TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    role           TEXT NOT NULL CHECK (role IN ('platform', 'tenant')),
    reach_owner_id TEXT REFERENCES bo_project (owner_id),
    created_at     INTEGER NOT NULL,
    PRIMARY KEY (owner_id, user_id),
    FOREIGN KEY (owner_id, user_id) REFERENCES bo_user (owner_id, user_id),
    CHECK ((role = 'tenant') = (reach_owner_id IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- The areas within an area.
CREATE INDEX bo_sys_area_parent ON bo_sys_area (owner_id, parent_code, area_code);
