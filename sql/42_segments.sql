--
-- Version 0.3.0: segments that are defined by conditions
--

CREATE FUNCTION nudge.check_segment() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_check_segment';
COMMENT ON FUNCTION nudge.check_segment() IS 'Trigger function of nudge.segments: conditions';

CREATE TRIGGER check_segment BEFORE INSERT OR UPDATE ON nudge.segments
    FOR EACH ROW EXECUTE FUNCTION nudge.check_segment();
COMMENT ON TRIGGER check_segment ON nudge.segments IS
    'Refuses conditions that cannot be evaluated, or that need an action in hand';

CREATE FUNCTION nudge.check_segment_circles() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'nudge_check_segment_circles';
COMMENT ON FUNCTION nudge.check_segment_circles() IS
    'Trigger function of nudge.segments: conditions that lead from segment to segment';

CREATE TRIGGER check_segment_circles AFTER INSERT OR UPDATE OF conditions ON nudge.segments
    FOR EACH ROW EXECUTE FUNCTION nudge.check_segment_circles();
COMMENT ON TRIGGER check_segment_circles ON nudge.segments IS
    'Refuses segments that contain themselves, or too many levels of others';

-- The primary key looks up by user.
CREATE INDEX segment_members_segment_idx ON nudge.segment_members (segment, user_id);
COMMENT ON INDEX nudge.segment_members_segment_idx IS 'Finds the users of a segment';

CREATE FUNCTION nudge.in_segment(user_id text, segment text) RETURNS boolean
LANGUAGE C STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'nudge_in_segment';
COMMENT ON FUNCTION nudge.in_segment(text, text) IS
    'Whether a user is in a segment now: listed in nudge.segment_members, or with a row in nudge.users that the conditions of the segment hold for; 23503 where there is no such segment';

CREATE FUNCTION nudge.segment_users(name text) RETURNS SETOF text
LANGUAGE C STABLE SECURITY DEFINER ROWS 1000 COST 10000
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'nudge_segment_users';
COMMENT ON FUNCTION nudge.segment_users(text) IS
    'Ids of all users who are in a segment now, by one query that the conditions are compiled to; 23503 where there is no such segment';

CREATE FUNCTION nudge.segment_size(name text) RETURNS bigint
LANGUAGE C STABLE SECURITY DEFINER COST 10000
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'nudge_segment_size';
COMMENT ON FUNCTION nudge.segment_size(text) IS 'How many users are in a segment now; 23503 where there is no such segment';

-- What the queries ask where SQL has no words for it

CREATE FUNCTION nudge.json_time(value jsonb, timezone text) RETURNS timestamptz
LANGUAGE C STABLE PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'nudge_json_time';
COMMENT ON FUNCTION nudge.json_time(jsonb, text) IS
    'Internal: the time that conditions take a JSON value for, in a user''s time zone; null where it is none';

CREATE FUNCTION nudge.json_fits(document jsonb, path jsonpath) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'nudge_json_fits';
COMMENT ON FUNCTION nudge.json_fits(jsonb, jsonpath) IS
    'Internal: whether a path predicate is true of a document; null for one that is nested too deeply';

CREATE FUNCTION nudge.user_fits(u nudge.users, condition_type text, operator text, parameters jsonb) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'nudge_user_fits';
COMMENT ON FUNCTION nudge.user_fits(nudge.users, text, text, jsonb) IS
    'Internal: whether a condition holds for a user; null where it cannot be computed';

INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('app', 'routine', 'in_segment', 'EXECUTE'),
    ('marketer', 'routine', 'in_segment', 'EXECUTE'),
    ('marketer', 'routine', 'segment_users', 'EXECUTE'),
    ('marketer', 'routine', 'segment_size', 'EXECUTE'),
    ('analyst', 'routine', 'segment_size', 'EXECUTE');

REVOKE ALL ON FUNCTION nudge.check_segment(), nudge.check_segment_circles(),
    nudge.in_segment(text, text), nudge.segment_users(text),
    nudge.segment_size(text), nudge.json_time(jsonb, text), nudge.json_fits(jsonb, jsonpath),
    nudge.user_fits(nudge.users, text, text, jsonb)
    FROM PUBLIC;
