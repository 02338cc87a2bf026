--
-- Channels: bad rows, bad questions, and what is in use
--
\pset format unaligned
\pset tuples_only on

\getenv abs_srcdir PG_ABS_SRCDIR
\set include_file :abs_srcdir '/include/refused.sql'
\i :include_file
CREATE FUNCTION pg_temp.no_channel(name text, base_score text DEFAULT '0.5', path text DEFAULT 'email') RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.refused(format('INSERT INTO nudge.channels (name, base_score, address_path) VALUES (%L, %L, %L)', name, base_score, path))
$$;
INSERT INTO nudge.channels (name, address_path) VALUES ('ce_used', 'profile.x'), ('ce_free', 'profile.x');
INSERT INTO nudge.channel_urgency VALUES ('low', 'ce_free', 0.5);
INSERT INTO nudge.templates (template_id, channel, body_text) VALUES ('channel errors', 'email', 'x');
CREATE TEMPORARY TABLE channels_before AS SELECT c::text FROM nudge.channels c UNION ALL SELECT u::text FROM nudge.channel_urgency u;

-- Names, scores, paths
SELECT pg_temp.no_channel(name) FROM unnest(ARRAY['', 'Fax', 'a b', '1a', E'a\nb', repeat('a', 64), 'partial']) AS name;
SELECT pg_temp.no_channel(NULL) ~ '^23502', pg_temp.no_channel('email') ~ '^23505';
SELECT pg_temp.no_channel('fax', score) FROM unnest('{-0.1,NaN,Infinity,-Infinity}'::text[]) AS score;
SELECT pg_temp.no_channel('fax', NULL) ~ '^23502', pg_temp.no_channel('fax', '1e400') ~ '^22003';
SELECT pg_temp.no_channel('fax', path => path) FROM unnest('{"",fax,user.fax,profile,profile.,profile..fax,email.x,data.fax}'::text[]) AS path;
SELECT pg_temp.refused($$UPDATE nudge.channels SET base_score = -1, address_path = 'nowhere', name = 'Fax' WHERE name = 'ce_free'$$);
SELECT pg_temp.refused($$UPDATE nudge.channels SET enabled = NULL WHERE name = 'ce_free'$$) ~ '^23502';

-- Urgencies and modifiers
SELECT pg_temp.refused($$INSERT INTO nudge.channel_urgency VALUES ('low', 'ce_free', 1)$$) ~ '^23505',
       pg_temp.refused($$INSERT INTO nudge.channel_urgency VALUES ('low', 'fax', 1)$$) ~ '^23503',
       pg_temp.refused($$INSERT INTO nudge.channel_urgency VALUES ('extreme', 'ce_free', 1)$$) ~ '^22P02',
       pg_temp.refused($$INSERT INTO nudge.channel_urgency VALUES ('high', 'ce_free', NULL)$$) ~ '^23502';
SELECT pg_temp.refused(format($$INSERT INTO nudge.channel_urgency VALUES ('high', 'ce_free', %L)$$, modifier)) FROM unnest('{-1,NaN,Infinity}'::text[]) AS modifier;

-- Rules, caps and templates name channels that there are
SELECT pg_temp.refused($$SELECT nudge.create_rule('{"name": "channel errors", "type": "behavioral", "channels": ["email", "fax"]}')$$);
SELECT pg_temp.refused($$INSERT INTO nudge.rules (name, trigger_type, channels) VALUES ('channel errors', 'behavioral', '{fax}')$$);
SELECT pg_temp.refused($$INSERT INTO nudge.frequency_caps (channel, period, max_messages) VALUES ('fax', 'daily', 1)$$);
SELECT pg_temp.refused($$INSERT INTO nudge.templates (template_id, channel, body_text) VALUES ('channel errors', 'fax', 'x')$$);
SELECT pg_temp.refused($$UPDATE nudge.templates SET channel = 'fax' WHERE template_id = 'channel errors'$$);
INSERT INTO nudge.templates (template_id, channel, body_text) VALUES ('channel errors', 'partial', 'x');
SELECT pg_temp.refused($$SELECT nudge.create_rule('{"name": "channel errors", "type": "behavioral", "channel_strategy": "loudest"}')$$);
SELECT pg_temp.refused($$SELECT nudge.create_rule('{"name": "channel errors", "type": "behavioral", "urgency": "extreme"}')$$);
SELECT pg_temp.refused($$SELECT nudge.create_rule('{"name": "channel errors", "type": "behavioral", "fallback_after": "0 s"}')$$);

-- A channel in use stays, under its name
SELECT nudge.create_rule('{"name": "channel errors", "type": "behavioral", "channels": ["email", "ce_used"]}') > 0;
SELECT pg_temp.refused($$DELETE FROM nudge.channels WHERE name = 'ce_used'$$);
SELECT pg_temp.refused($$UPDATE nudge.channels SET name = 'ce_other' WHERE name = 'ce_used'$$);
SELECT pg_temp.refused($$TRUNCATE nudge.channels CASCADE$$) ~ '^23503';
UPDATE nudge.rules SET channels = '{email}' WHERE name = 'channel errors';
INSERT INTO nudge.frequency_caps (channel, period, max_messages) VALUES ('ce_used', 'daily', 1);
SELECT pg_temp.refused($$DELETE FROM nudge.channels WHERE name = 'ce_used'$$) ~ '^23503 channel "ce_used" is still in use\n    It is named by frequency cap';
DELETE FROM nudge.frequency_caps WHERE channel = 'ce_used';
INSERT INTO nudge.templates (template_id, channel, body_text) VALUES ('channel errors', 'ce_used', 'x');
SELECT pg_temp.refused($$DELETE FROM nudge.channels WHERE name = 'ce_used'$$);
DELETE FROM nudge.templates WHERE channel = 'ce_used';

-- Questions
SELECT pg_temp.refused($$SELECT nudge.channel_scores('u', 'extreme')$$);
SELECT pg_temp.refused($$SELECT nudge.channel_scores('u', NULL::text)$$);
SELECT pg_temp.refused($$SELECT nudge.channel_scores(NULL)$$);
SELECT pg_temp.refused($$SELECT nudge.coordinate_channels(-1, 'u')$$);
SELECT pg_temp.refused($$SELECT nudge.coordinate_channels(NULL, 'u')$$);
SELECT pg_temp.refused($$SELECT nudge.coordinate_channels(1, NULL)$$);

-- Nothing was changed
(SELECT c::text FROM nudge.channels c UNION ALL SELECT u::text FROM nudge.channel_urgency u) EXCEPT TABLE channels_before;
-- and what is free can be renamed and removed
UPDATE nudge.channels SET name = 'ce_renamed' WHERE name = 'ce_free';
SELECT channel FROM nudge.channel_urgency WHERE channel LIKE 'ce\_%';
DELETE FROM nudge.channels WHERE name LIKE 'ce\_%' RETURNING name;
DELETE FROM nudge.rules WHERE name = 'channel errors';
DELETE FROM nudge.templates WHERE template_id = 'channel errors';
