# A dump brings everything back and fires nothing: custom format with four jobs,
# plain SQL, through the roots of partitioned tables, and a directory dumped with
# four jobs; partitions made by nudge.maintain() included.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('dump');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nmax_connections = 50\n");
$node->start;

# Tables of which a new database has the same rows, and statistics of a server
my @not_dumped = qw(jobs access_rights tallies);

# Every table with the number of its rows and a hash of them, every sequence with
# its value, and what roles may do.
my $fingerprint = <<'SQL';
CREATE FUNCTION pg_temp.fingerprint() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    r record;
    t text;
BEGIN
    FOR r IN SELECT c.oid, c.relname, c.relkind::text,
                    (SELECT string_agg(a::text, ',' ORDER BY a::text)
                     FROM unnest(coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))) a) AS acl
             FROM pg_class c
             WHERE c.relnamespace = 'nudge'::regnamespace AND c.relkind IN ('r', 'p', 'S', 'v')
             ORDER BY c.relname
    LOOP
        t := '';
        IF r.relkind = 'r' AND r.relname <> ALL ('{NOT_DUMPED}') THEN
            EXECUTE format('SELECT count(*) || '' '' || coalesce(md5(string_agg(x::text, E''\n'' ORDER BY x::text)), '''') FROM nudge.%I x', r.relname) INTO t;
        ELSIF r.relkind = 'S' THEN
            EXECUTE format('SELECT last_value || '' '' || is_called FROM nudge.%I', r.relname) INTO t;
        END IF;
        RETURN NEXT r.relname || ' ' || r.relkind || ' ' || r.acl || ' ' || t || ' '
            || coalesce((SELECT pg_get_expr(c.relpartbound, c.oid) FROM pg_class c WHERE c.oid = r.oid), '') || ' '
            || coalesce((SELECT string_agg(pg_get_indexdef(i.indexrelid), ', ' ORDER BY i.indexrelid::regclass::text)
                         FROM pg_index i WHERE i.indrelid = r.oid), '') || ' '
            || coalesce((SELECT string_agg(pg_get_constraintdef(k.oid), ', ' ORDER BY k.conname)
                         FROM pg_constraint k WHERE k.conrelid = r.oid), '');
    END LOOP;
    RETURN QUERY
        SELECT p.oid::regprocedure || ' ' || (SELECT string_agg(a::text, ',' ORDER BY a::text)
                                               FROM unnest(coalesce(p.proacl, acldefault('f', p.proowner))) a)
        FROM pg_proc p WHERE p.pronamespace = 'nudge'::regnamespace ORDER BY 1;
END
$$;
SELECT pg_temp.fingerprint();
SQL
my $exceptions = join(',', @not_dumped);
$fingerprint =~ s/NOT_DUMPED/$exceptions/;

$node->safe_psql('postgres', 'CREATE DATABASE source');
$node->safe_psql('postgres', "CREATE ROLE dump_$_") foreach qw(app marketer mailer executor analyst);
$node->safe_psql('source', <<'SQL');
CREATE EXTENSION pg_nudge;
SELECT nudge.grant_access(('dump_' || a)::regrole, a)
    FROM unnest('{app,marketer,mailer,executor,analyst}'::text[]) AS a;
INSERT INTO nudge.users (user_id, email, timezone, profile)
    SELECT 'user-' || g, 'user-' || g || '@example.org', 'Europe/Paris', jsonb_build_object('tier', g % 3)
    FROM generate_series(1, 50) g;
INSERT INTO nudge.templates (template_id, subject, body_text) VALUES
    ('welcome', 'Hello {{ user.user_id }}', 'Welcome, {{ user.user_id }}'),
    ('broken', 'Hello', '{{ user.profile.nothing | no_such_filter }}');
INSERT INTO nudge.templates (template_id, channel, body_text) VALUES ('welcome', 'sms', 'Hi');
-- channels that came with the extension, changed and not, and one that was added
INSERT INTO nudge.channels (name, base_score, address_path) VALUES ('whatsapp', 0.8, 'profile.whatsapp');
UPDATE nudge.channels SET base_score = 0.65, description = 'Mail' WHERE name = 'email';
UPDATE nudge.channels SET enabled = false WHERE name = 'push';
INSERT INTO nudge.channel_urgency VALUES ('high', 'whatsapp', 0.9);
UPDATE nudge.channel_urgency SET modifier = 0.5 WHERE urgency = 'low' AND channel = 'email';
-- machines that came with the extension, changed, and one that was added; conversions and their goals
INSERT INTO nudge.machine_agents (name, pattern) VALUES ('ours', 'our scanner');
UPDATE nudge.machine_agents SET enabled = false, pattern = 'barracuda(?! phone)' WHERE name = 'barracuda';
INSERT INTO nudge.conversion_goals (name, action_type, filter, value_path, "window") VALUES ('signup', 'signup', '$.plan == "pro"', '$.price', '3 days');
SELECT nudge.record_conversion('user-' || g, g, 'EUR', idempotency_key => 'k') FROM generate_series(1, 5) g;
-- stages that came with the extension, changed, removed, in another place, and one that was added
DELETE FROM nudge.lifecycle_stages WHERE name IN ('won_back', 'dormant');
UPDATE nudge.lifecycle_stages SET position = CASE name WHEN 'new' THEN 4 WHEN 'active' THEN 1 ELSE 6 END
    WHERE name IN ('new', 'active', 'at_risk');
INSERT INTO nudge.lifecycle_stages (name, position, conditions) VALUES ('vip', 2, '[{"type": "lifecycle_stage", "parameters": {"stage": "active"}}]');
-- models of attribution that came with the extension, changed and not, and one that was added
UPDATE nudge.attribution_models SET "window" = '60 days', parameters = '{"floor": 0.2}' WHERE name = 'position_decay';
UPDATE nudge.attribution_models SET enabled = false WHERE name = 'linear';
INSERT INTO nudge.attribution_models (name, kind, "window") VALUES ('own', 'linear', '3 days');
INSERT INTO nudge.segments (name) VALUES ('some');
INSERT INTO nudge.segment_members (segment, user_id) SELECT 'some', 'user-' || g FROM generate_series(1, 20) g;
INSERT INTO nudge.rules (name, trigger_type, template_id, priority, delay, segments, cancel_on) VALUES
    ('now', 'behavioral', 'welcome', 'immediate', '0', '{}', '{}'),
    ('some', 'behavioral', 'welcome', 'normal', '0', '{some}', '{}'),
    ('later', 'behavioral', 'welcome', 'low', '1 day', '{}', '{purchase}');
UPDATE nudge.rules SET reentry = '"once"' WHERE name = 'some';
-- a threshold that came with the extension, changed, and one of a rule
UPDATE nudge.optimization_thresholds SET threshold = 0.2 WHERE metric = 'min_open_rate';
INSERT INTO nudge.optimization_thresholds SELECT 'min_open_rate', min(rule_id), 0.3 FROM nudge.rules;
INSERT INTO nudge.optimizations (rule_id, made_at, kind, before, after, evidence, reason)
SELECT min(rule_id), '2026-01-01', 'pause', '{"rule": {"status": "active"}}', '{"rule": {"status": "paused"}}', '{}', 'a test' FROM nudge.rules;
INSERT INTO nudge.recommendations (rule_id, kind, draft, evidence)
SELECT min(rule_id), 'optimal_delay_range', '{"rule": {"delay": "01:00:00"}}', '{}' FROM nudge.rules;
-- variants, what is known of them, and the best hour
INSERT INTO nudge.variants (rule_id, name, template_id, channel, subject, delay, hour, share)
    SELECT rule_id, 'other', 'welcome', 'email', 'Hi {{ user.user_id }}', '0', NULL, 2 FROM nudge.rules WHERE name = 'now';
INSERT INTO nudge.bandit_arms SELECT rule_id, 'other', 10, 3, 0, '2026-01-01' FROM nudge.rules WHERE name = 'now';
UPDATE nudge.rules SET allocation = 'thompson', goal = 'open' WHERE name = 'now';
INSERT INTO nudge.send_hours SELECT rule_id, 7, 'rule', 100, 10, 0.1, '2026-01-01' FROM nudge.rules WHERE name = 'later';
INSERT INTO nudge.conditions (rule_id, position, condition_type, parameters)
    SELECT rule_id, 1, 'action_type', '{"types": ["login"]}' FROM nudge.rules;
INSERT INTO nudge.frequency_caps (rule_id, period, max_messages) SELECT rule_id, 'daily', 1 FROM nudge.rules WHERE name = 'now';
INSERT INTO nudge.rules (name, trigger_type, template_id, channels, channel_strategy) VALUES ('then', 'transactional', 'welcome', '{email,sms,whatsapp}', 'fallback');
INSERT INTO nudge.frequency_caps (period, max_messages) VALUES ('monthly', 30);
-- an application's tables: one that is watched, one that nudge.users follows, both
CREATE TABLE shop_orders (id int, customer text, status text, note text);
INSERT INTO shop_orders SELECT g, 'user-' || g, 'new', 'n' FROM generate_series(1, 20) g;
SELECT nudge.watch_table('shop_orders', 'customer', '{status}', 'order''s status');
CREATE TABLE shop_members (id text PRIMARY KEY, given_name text);
INSERT INTO shop_members SELECT 'user-' || g, 'Name ' || g FROM generate_series(1, 20) g;
SELECT nudge.sync_users('shop_members', '{"user_id": "id", "profile.first_name": "given_name"}');
SELECT nudge.watch_table('shop_members', 'id');
UPDATE shop_members SET given_name = 'New name' WHERE id = 'user-1';
INSERT INTO nudge.subscriptions (user_id, topic, subscribed) VALUES ('user-1', 'news', false), ('user-2', 'news', true);
INSERT INTO nudge.suppressions (user_id, address, reason) VALUES ('user-3', NULL, 'manual'), (NULL, 'Nobody@example.org', 'bounced');
INSERT INTO nudge.quiet_hours (channel, starts, ends, days, action) VALUES ('push', '22:00', '08:00', '{mon}', 'drop');
-- rows in the DEFAULT partitions, in dated ones of the past, and in today's
SELECT nudge.maintain();
INSERT INTO nudge.actions (user_id, action_type, occurred_at, recorded_at)
    SELECT 'user-' || g, 'login', t, t
    FROM generate_series(1, 50) g, unnest('{2021-05-31 23:59:59+00,2021-06-01 00:00+00,2021-07-15 12:00+00,2019-01-01}'::timestamptz[]) t;
SELECT nudge.maintain('2021-06-10');
SQL
$node->safe_psql('source', $_) foreach (
	"INSERT INTO nudge.actions (user_id, action_type, recorded_at) SELECT 'user-' || g, 'login', '2022-01-01' FROM generate_series(1, 50) g",
	"INSERT INTO nudge.actions (user_id, action_type) SELECT 'user-' || g, 'login' FROM generate_series(1, 50) g",
	"INSERT INTO nudge.actions (user_id, action_type) SELECT 'user-' || g, 'login' FROM generate_series(1, 30) g",
	"SELECT nudge.execute_pending(60)",
	"SELECT nudge.ack(message_id, claim_token, 'p-' || message_id) FROM nudge.claim('dump', 10)",
	"SELECT nudge.nack(message_id, claim_token, 'no', message_id % 2 = 0) FROM nudge.claim('dump', 4)",
	"SELECT count(*) FROM nudge.claim('dump', 3)",
	"SELECT nudge.record_event(message_id, 'opened', now(), '{\"event_id\": \"1\"}') FROM nudge.outbox WHERE status = 'sent'",
	"INSERT INTO nudge.conversions (user_id, value, idempotency_key) SELECT user_id, 10, message_id FROM nudge.outbox WHERE status = 'sent'",
	"SELECT nudge.run_attribution(clock_timestamp())",
	"SELECT nudge.rollup(clock_timestamp())",
	# schedules: timers that fired, that wait, and what has not been looked at
	"INSERT INTO nudge.rules (name, trigger_type, schedule) VALUES "
	  . "('milestone', 'time_based', '{\"kind\": \"milestone\", \"attribute\": \"created_at\", \"after\": \"1 hour\"}'), "
	  . "('recurring', 'time_based', '{\"kind\": \"recurring\", \"days\": [\"mon\"]}'), "
	  . "('abandoned', 'time_based', '{\"kind\": \"abandonment\", \"start\": \"add\", \"unless\": \"buy\", \"within\": \"3 hours\"}')",
	"INSERT INTO nudge.actions (user_id, action_type) SELECT 'user-' || g, 'add' FROM generate_series(1, 5) g",
	"SELECT nudge.run_timers(now() + interval '2 hours')",
	"UPDATE nudge.users SET timezone = 'Asia/Tokyo' WHERE user_id = 'user-7'",
	"UPDATE nudge.rules SET schedule = schedule || '{\"grace\": \"1 hour\"}' WHERE name = 'recurring'");

my $summary = 'SELECT '
  . join(', ', map { "(SELECT count(*) > 0 FROM nudge.$_)" } qw(pending message_queue message_blocks message_results events cap_usage executor_runs frequency_caps
	subscriptions suppressions quiet_hours channels rule_entries timers timer_firings timer_signals timer_rule_changes timer_rules timer_clocks attribution_totals attribution_credits attribution_effects attribution_progress
	variants variant_assignments bandit_arms send_hours rollup_progress message_rollups rule_rollups hour_rollups latency_rollups))
  . ", (SELECT count(DISTINCT tableoid) FROM nudge.actions)";
is($node->safe_psql('source', $summary), ('t|' x 32) . '4',
	'there are rows of every kind, in four partitions of actions');
my @source = split /\n/, $node->safe_psql('source', $fingerprint);

my $dir = PostgreSQL::Test::Utils::tempdir;
my %ways = (
	'custom format, four jobs' => {
		dump => [ '-Fc', '-f', "$dir/custom" ],
		restore => [ 'pg_restore', '--exit-on-error', '-j4', "$dir/custom" ]
	},
	'plain SQL' => {
		dump => [ '-f', "$dir/plain.sql" ],
		restore => [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain.sql" ]
	},
	'through partition roots' => {
		dump => [ '--load-via-partition-root', '-Fc', '-f', "$dir/root" ],
		restore => [ 'pg_restore', '--exit-on-error', '-j4', "$dir/root" ]
	},
	'plain SQL through partition roots' => {
		dump => [ '--load-via-partition-root', '-f', "$dir/root.sql" ],
		restore => [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/root.sql" ]
	},
	'plain SQL, one transaction' => {
		dump => [ '-f', "$dir/single.sql" ],
		restore => [ 'psql', '-X', '-q', '-1', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/single.sql" ]
	},
	'plain SQL, an INSERT a row' => {
		dump => [ '--inserts', '-f', "$dir/inserts.sql" ],
		restore => [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/inserts.sql" ]
	},
	'directory, four jobs each way' => {
		dump => [ '-Fd', '-j4', '-f', "$dir/directory" ],
		restore => [ 'pg_restore', '--exit-on-error', '-j4', "$dir/directory" ]
	},
	'one transaction' => {
		dump => [ '-Fc', '-f', "$dir/single" ],
		restore => [ 'pg_restore', '--single-transaction', "$dir/single" ]
	});

my $n = 0;
foreach my $way (sort keys %ways)
{
	my $target = 'target' . ++$n;

	$node->safe_psql('postgres', "CREATE DATABASE $target");
	command_ok([ 'pg_dump', '-d', $node->connstr('source'), @{ $ways{$way}{dump} } ],
		"$way: dumped");
	command_ok([ @{ $ways{$way}{restore} }, '-d', $node->connstr($target) ],
		"$way: restored without an error");

	is_deeply([ split /\n/, $node->safe_psql($target, $fingerprint) ],
		\@source, "$way: every row, sequence, privilege, index and constraint is there");
	is( $node->safe_psql($target,
			"SELECT count(*) FROM pg_inherits i JOIN pg_depend d ON d.objid = i.inhrelid AND d.deptype = 'e'
			 JOIN pg_class c ON c.oid = i.inhrelid AND c.relkind = 'r'"),
		4, "$way: only the DEFAULT partitions belong to the extension");

	# Application tables are watched and followed as before.
	is( $node->safe_psql($target, <<'SQL'), "order's status|user-2|paid\nprofile_updated|user-3|Other\nshop_members_changed|user-3|Other", "$way: changes of application tables are followed");
CREATE TEMP TABLE was AS SELECT action_id FROM nudge.actions;
UPDATE shop_orders SET status = 'paid', note = 'x' WHERE id = 2;
UPDATE shop_members SET given_name = 'Other' WHERE id = 'user-3';
SELECT a.action_type, a.user_id, c.value ->> 'new' FROM nudge.actions a, jsonb_each(a.action_data -> 'changed') c
WHERE a.action_id NOT IN (SELECT action_id FROM was) AND c.key ~ 'status|name' ORDER BY 1;
SQL
	is($node->safe_psql($target, "SELECT count(*), sum(cardinality(missing_columns)) FROM (SELECT missing_columns FROM nudge.watched_tables UNION ALL SELECT missing_columns FROM nudge.synced_tables) t"),
		'3|0', "$way: what is watched and followed is known");
	is($node->safe_psql($target, "SELECT count(*) FROM pg_depend d JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND d.objid = t.oid WHERE d.deptype = 'x'"),
		'9', "$way: their triggers go with the extension");

	# Schedules go on: what waited fires, what fired does not.
	is($node->safe_psql($target, q{SELECT nudge.run_timers(now() + interval '4 hours') > 0;
		SELECT r.name, count(*), count(DISTINCT p.user_id) FROM nudge.pending p JOIN nudge.rules r USING (rule_id) WHERE r.name IN ('milestone', 'abandoned') GROUP BY 1 ORDER BY 1}),
		"t\nabandoned|5|5\nmilestone|50|50", "$way: timers fire once");

	# It goes on where it was.
	is( $node->safe_psql($target,
			'SELECT m ->> \'partitions_made\' || (m ->> \'postponed\') FROM nudge.maintain() AS m'),
		'[][]', "$way: no partition is missing");
	is( $node->safe_psql($target, <<'SQL'), 'f|t|1|t', "$way: rules fire, messages are made and claimed");
CREATE TEMP TABLE was AS SELECT (SELECT max(pending_id) FROM nudge.pending) AS pending, (SELECT max(message_id) FROM nudge.messages) AS message;
UPDATE nudge.pending SET status = 'dead' WHERE status <> 'dead';
INSERT INTO nudge.users (user_id, email) VALUES ('new', 'new@example.org');
INSERT INTO nudge.actions (user_id, action_type) VALUES ('new', 'login');
CREATE TEMP TABLE ran AS SELECT * FROM nudge.execute_pending();
DELETE FROM nudge.outbox WHERE user_id <> 'new' AND status = 'ready';
SELECT (SELECT min(pending_id) <= (SELECT pending FROM was) FROM nudge.pending WHERE user_id = 'new'),
       (SELECT executed = 1 FROM ran), count(*), min(message_id) > (SELECT message FROM was)
FROM nudge.claim('restored');
SQL
}

# The data by itself, without triggers, once what came with the extension has made room
$node->safe_psql('postgres', 'CREATE DATABASE in_parts');
command_ok([ 'pg_restore', '--exit-on-error', '--section=pre-data', '-d', $node->connstr('in_parts'), "$dir/custom" ], 'in parts: tables');
$node->safe_psql('in_parts', 'SET session_replication_role = replica; TRUNCATE nudge.channels, nudge.channel_urgency, nudge.lifecycle_stages, nudge.machine_agents, nudge.attribution_models, nudge.optimization_thresholds CASCADE');
command_ok([ 'pg_restore', '--exit-on-error', '--data-only', '--disable-triggers', '-d', $node->connstr('in_parts'), "$dir/custom" ], 'in parts: data');
command_ok([ 'pg_restore', '--exit-on-error', '--section=post-data', '-d', $node->connstr('in_parts'), "$dir/custom" ], 'in parts: the rest');
is_deeply([ split /\n/, $node->safe_psql('in_parts', $fingerprint) ], \@source, 'in parts: everything is there');

# Rows go unchecked only where a superuser restores a dump, and only its rows.
foreach my $session ([ 'of a superuser', '' ],
	[ 'that has restored rows', 'BEGIN; SET LOCAL check_function_bodies = off; '
		  . "INSERT INTO nudge.conditions (rule_id, position, condition_type, parameters) VALUES (-2, 1, 'restored', '{}'); "
		  . "INSERT INTO nudge.segments (name) SELECT 'none' WHERE false; SET LOCAL check_function_bodies = on; " ],
	[ 'of a marketer', 'SET SESSION AUTHORIZATION dump_marketer; SET check_function_bodies = off; ' ])
{
	my ($code, $out, $err) = $node->psql('target1', $session->[1]
		  . "INSERT INTO nudge.conditions (rule_id, position, condition_type, parameters) "
		  . "VALUES (-1, 1, 'action_type', '{\"types\": [\"login\"]}')");
	like($err, qr/violates foreign key constraint/, "a session $session->[0] has its rows checked");
}

# A session that is a replica for reasons of its own stays one.
is( $node->safe_psql('target1', <<'SQL'), "replica\nreplica\norigin", 'the role that a session had is its role after rows of a dump');
SET check_function_bodies = off;
SET session_replication_role = replica;
BEGIN;
INSERT INTO nudge.segments (name) VALUES ('replica');
SHOW session_replication_role;
COMMIT;
SHOW session_replication_role;
SET session_replication_role = origin;
BEGIN;
INSERT INTO nudge.segments (name) VALUES ('origin');
SHOW session_replication_role;
ROLLBACK;
SQL

# DROP EXTENSION takes the partitions along.
$node->safe_psql('target1', 'DROP EXTENSION pg_nudge');
is($node->safe_psql('target1', "SELECT count(*) FROM pg_class WHERE relnamespace = 'nudge'::regnamespace"),
	0, 'DROP EXTENSION leaves nothing in the schema');
is($node->safe_psql('target1', "UPDATE shop_orders SET status = 'alone'; SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"),
	0, 'nor triggers on application tables');

$node->stop;
done_testing();
