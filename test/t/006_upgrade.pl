# A database upgraded from 0.1.0 is like one in which the newest version was installed at once,
# and keeps its rows, its jobs' work and what had been granted.  Counting goes on over
# actions from before, waits for prepared transactions, and misses none of what
# several sessions insert meanwhile.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('upgrade');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nmax_prepared_transactions = 5\n");
$node->start;

# Everything that the catalogs say of the extension, without object ids
my $catalog = <<'SQL';
CREATE TEMP VIEW member AS
    SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'pg_nudge';
CREATE TEMP VIEW relation AS
    SELECT c.* FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid;
CREATE TEMP VIEW said (what, name, content) AS
    SELECT 'member', (pg_identify_object(classid, objid, 0)).identity, obj_description(objid, classid::regclass::text::name) FROM member
    UNION ALL SELECT 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid) || coalesce(p.proacl::text, 'none')
        FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
    UNION ALL SELECT 'relation', relname, concat_ws(' ', relkind, relpersistence, reloptions, relacl, relispartition, relrowsecurity) FROM relation
    UNION ALL SELECT 'view', relname, pg_get_viewdef(oid) FROM relation WHERE relkind = 'v'
    UNION ALL SELECT 'column', r.relname || '.' || a.attname,
            concat_ws(' ', a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attacl, a.attcollation::regcollation,
                      pg_get_expr(d.adbin, d.adrelid), col_description(r.oid, a.attnum))
        FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
    UNION ALL SELECT 'constraint', r.relname || '.' || k.conname, pg_get_constraintdef(k.oid) FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid
    UNION ALL SELECT 'index', i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM relation r JOIN pg_index i ON i.indrelid = r.oid
    UNION ALL SELECT 'trigger', r.relname || '.' || t.tgname, pg_get_triggerdef(t.oid) || t.tgenabled::text || coalesce(obj_description(t.oid, 'pg_trigger'), '')
        FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
    UNION ALL SELECT 'dumped', unnest(e.extconfig)::regclass::text, unnest(e.extcondition) FROM pg_extension e WHERE e.extname = 'pg_nudge'
    UNION ALL SELECT 'privileges of the extension', (pg_identify_object(i.classoid, i.objoid, i.objsubid)).identity, i.initprivs::text
        FROM pg_init_privs i JOIN member m ON m.classid = i.classoid AND m.objid = i.objoid
    UNION ALL SELECT 'access', access || ' ' || object, kind || ' ' || privileges FROM nudge.access_rights
    UNION ALL SELECT 'job', job_name, schedule || ' ' || command || ' ' || description FROM nudge.jobs;
SELECT what || ' ' || name || ': ' || coalesce(content, '') FROM said ORDER BY what COLLATE "C", name COLLATE "C", content COLLATE "C";
SQL

$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('postgres', 'CREATE DATABASE empty');
$node->safe_psql('fresh', 'CREATE EXTENSION pg_nudge');
$node->safe_psql('empty', "CREATE EXTENSION pg_nudge VERSION '0.1.0'");
foreach my $script ("CREATE EXTENSION pg_nudge", "CREATE EXTENSION pg_nudge VERSION '0.1.0'; ALTER EXTENSION pg_nudge UPDATE")
{
	is($node->safe_psql('postgres', "BEGIN; $script; SHOW session_replication_role; ROLLBACK"), 'origin',
		"$script: triggers and keys hold in the rest of the transaction");
}
my $old = $node->safe_psql('empty', $catalog);
unlike($old, qr/recommend/, 'version 0.1.0 is the old one');
$node->safe_psql('empty', 'ALTER EXTENSION pg_nudge UPDATE');
my $fresh = $node->safe_psql('fresh', $catalog);
my $upgraded = $node->safe_psql('empty', $catalog);
like($fresh, qr/conversion_id/, 'version 0.4.0 is the new one');
is($upgraded, $fresh, 'upgraded is like fresh');
is($node->safe_psql('empty', "SELECT extversion FROM pg_extension WHERE extname = 'pg_nudge'"), '0.4.0', 'by its version, too');

# A database at work
$node->safe_psql('postgres', "CREATE DATABASE shop");
$node->safe_psql('postgres', "CREATE ROLE up_$_") foreach qw(app marketer);
$node->safe_psql('shop', <<'SQL');
CREATE EXTENSION pg_nudge VERSION '0.1.0';
SELECT nudge.grant_access('up_app', 'app'), nudge.grant_access('up_marketer', 'marketer');
SELECT nudge.maintain();
INSERT INTO nudge.users (user_id, email) VALUES ('u', 'u@example.org');
INSERT INTO nudge.templates (template_id, subject, body_text) VALUES ('t', 'x', '{{ recommendations.size }}');
INSERT INTO nudge.rules (name, trigger_type, priority, template_id, personalization)
    VALUES ('r', 'behavioral', 'immediate', 't', '{"include_recommendations": true}');
INSERT INTO nudge.conditions (rule_id, position, condition_type, parameters) SELECT rule_id, 1, 'action_type', '{"types": ["login"]}' FROM nudge.rules;
INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('u', 'purchase', '{"items": [{"product_id": "a"}, {"product_id": "b"}]}');
INSERT INTO nudge.actions (user_id, action_type) VALUES ('u', 'login');
SQL
# The library is that of 0.3.0 from "make install" on
is($node->safe_psql('shop', "SELECT executed, failed FROM nudge.execute_pending()"), '1|0', 'between make install and the upgrade messages go out');
$node->safe_psql('shop', "INSERT INTO nudge.actions (user_id, action_type) VALUES ('u', 'login')");
$node->psql('shop', q{SELECT nudge.create_rule('{"name": "new", "type": "behavioral", "template_id": "t", "reentry": "once"}')},
	stderr => \my $error, on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
like($error, qr/ERROR:  55000: .*ALTER EXTENSION pg_nudge UPDATE/s, 'and what comes with the upgrade is asked for in vain, with a hint');
my $rows = q{SELECT (SELECT count(*) FROM nudge.actions), (SELECT count(*) FROM nudge.pending), (SELECT count(*) FROM nudge.messages), (SELECT count(*) FROM nudge.rules)};
my $before = $node->safe_psql('shop', $rows);
$node->safe_psql('shop', 'ALTER EXTENSION pg_nudge UPDATE');
is($node->safe_psql('shop', $rows), $before, 'rows are kept');
is($node->safe_psql('shop', q{SELECT count(*) FROM pg_inherits i WHERE i.inhparent = 'nudge.actions'::regclass
	AND NOT EXISTS (SELECT FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_am a ON a.oid = c.relam WHERE x.indrelid = i.inhrelid AND a.amname = 'brin')}),
	0, 'every partition there was has the new index');
is($node->safe_psql('shop', q{SELECT nudge.has_access('up_app', 'app'), has_table_privilege('up_marketer', 'nudge.rules', 'UPDATE')}), 'f|t',
	'what was granted is kept, what is new is to be granted');
$node->safe_psql('shop', q{SELECT nudge.grant_access('up_app', 'app'), nudge.grant_access('up_marketer', 'marketer')});
is($node->safe_psql('shop', q{SELECT nudge.has_access('up_app', 'app'), nudge.has_access('up_marketer', 'marketer')}), 't|t', 'by granting again');
$node->safe_psql('shop', q{CALL nudge.count_items(clock_timestamp())});
is($node->safe_psql('shop', q{SELECT item, other, bought FROM nudge.item_pairs ORDER BY 1}), "a|b|1\nb|a|1", 'actions from before are counted');
is($node->safe_psql('shop', "SELECT executed, failed FROM nudge.execute_pending()"), '1|0', 'and the executor goes on');

# What had been granted before the upgrade is dumped
my $dump = $node->basedir . '/shop.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('shop'), '-f', $dump ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump ], 'psql restores it');
is($node->safe_psql('restored', q{SELECT nudge.has_access('up_app', 'app'), nudge.has_access('up_marketer', 'marketer')}), 't|t', 'grants are restored');
is($node->safe_psql('restored', 'SELECT count(*) FROM nudge.item_pairs'), 2, 'and counts');
$node->safe_psql('restored', 'CALL nudge.count_items(clock_timestamp())');
is($node->safe_psql('restored', 'SELECT sum(seen) FROM nudge.item_pairs'), 2, 'nothing is counted again');

# A prepared transaction
my $insert = q{INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('%s', 'page_visit', '{"items": [{"product_id": "%s"}, {"product_id": "%s"}]}')};
$node->safe_psql('shop', "BEGIN; " . sprintf($insert, 'p', 'c', 'd') . "; PREPARE TRANSACTION 'p'");
$node->safe_psql('shop', sprintf($insert, 'q', 'e', 'f'));
$node->safe_psql('shop', q{CALL nudge.count_items(clock_timestamp())});
is($node->safe_psql('shop', q{SELECT count(*) FROM nudge.items WHERE item IN ('c', 'd', 'e', 'f')}), 0, 'counting waits for a prepared transaction');
$node->safe_psql('shop', "COMMIT PREPARED 'p'");
$node->safe_psql('shop', q{CALL nudge.count_items(clock_timestamp())});
is($node->safe_psql('shop', q{SELECT string_agg(item || other || seen, ' ' ORDER BY item) FROM nudge.item_pairs WHERE item IN ('c', 'd', 'e', 'f')}),
	'cd1 dc1 ef1 fe1', 'and then counts all');

# Counting, again and again, while others insert in transactions of all lengths
my $script = $node->basedir . '/insert.sql';
append_to_file($script, <<'SQL');
\set user random(1, 30)
\set a random(1, 20)
\set b random(1, 20)
BEGIN;
INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('c' || :user, 'page_visit', jsonb_build_object('product_id', 'x' || :a));
INSERT INTO nudge.actions (user_id, action_type, action_data) VALUES ('c' || :user, 'purchase', jsonb_build_object('product_id', 'x' || :b));
END;
SQL
my $bench = IPC::Run::start([ 'pgbench', '-n', '-c', '4', '-t', '150', '-f', $script, '-d', $node->connstr('shop') ],
	'<', \undef, '>', \my $out, '2>', \my $err);
my $steps = 0;
while ($bench->pumpable)
{
	$bench->pump_nb;
	$node->safe_psql('shop', 'CALL nudge.count_items(clock_timestamp())');
	$steps++;
}
ok($bench->finish, 'pgbench') or diag($err);
$node->safe_psql('shop', 'CALL nudge.count_items(clock_timestamp())');
note("counted in $steps steps");
is($node->safe_psql('shop', "SELECT count(*) FROM nudge.actions WHERE user_id LIKE 'c%'"), 1200, 'all was inserted');
my $differences = q{
WITH named AS (
    SELECT user_id, recorded_at::date AS day, action_data ->> 'product_id' AS item, max(CASE action_type WHEN 'purchase' THEN 3 ELSE 1 END) AS weight
    FROM nudge.actions WHERE user_id LIKE 'c%' GROUP BY 1, 2, 3),
pairs AS (
    SELECT a.item, b.item AS other, count(*) AS seen, count(*) FILTER (WHERE a.weight = 3 AND b.weight = 3) AS bought, sum(least(a.weight, b.weight)) AS score
    FROM named a JOIN named b ON a.user_id = b.user_id AND a.day = b.day AND a.item <> b.item GROUP BY 1, 2),
counted AS (SELECT * FROM nudge.item_pairs WHERE item LIKE 'x%')
SELECT count(*) FROM ((TABLE pairs EXCEPT TABLE counted) UNION ALL (TABLE counted EXCEPT TABLE pairs)) d};
is($node->safe_psql('shop', $differences), 0, 'what was counted in steps is what all actions say');

$node->stop;
done_testing();
