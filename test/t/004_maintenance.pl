# nudge.maintain() beside others: it waits for nobody for long, nobody waits for it
# for long, what it postpones the next run does, and two never run at once.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('maintenance');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "timezone = 'UTC'\n");
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pg_nudge;
INSERT INTO nudge.actions (user_id, action_type, recorded_at) VALUES ('u', 'x', '2001-02-03');
SQL

my $reader = $node->background_psql('postgres');
sub maintain
{
	my ($as_of, $part) = @_;
	return $node->safe_psql('postgres', "SELECT nudge.maintain('$as_of') -> '$part'");
}

# Somebody reads a DEFAULT partition, and does not stop
$reader->query_safe('BEGIN; SELECT count(*) FROM nudge.actions_default;');
is($node->safe_psql('postgres', "SELECT m -> 'postponed', m -> 'partitions_made' FROM nudge.maintain('2001-02-15') AS m"),
	'["making actions_2001_02", "making actions_2001_03", "making actions_2001_04"]|'
	  . '["events_2001_02", "message_results_2001_02", "messages_2001_02", "events_2001_03", "message_results_2001_03", '
	  . '"messages_2001_03", "events_2001_04", "message_results_2001_04", "messages_2001_04"]',
	'partitions whose DEFAULT partition is in use are postponed, the others are made');
is($node->safe_psql('postgres', 'SHOW lock_timeout'), '0', 'the short patience is that of maintain() only');
# INSERTs go on, with little patience themselves, before, beside and after
my $insert = "SET lock_timeout = '5s'; INSERT INTO nudge.actions (user_id, action_type) VALUES ('u', 'x')";
is(scalar $node->psql('postgres', $insert), 0, 'actions are inserted');
$reader->query_safe('COMMIT;');
is(maintain('2001-02-15', 'partitions_made'), '["actions_2001_02", "actions_2001_03", "actions_2001_04"]',
	'the next run makes them');
is($node->safe_psql('postgres', "SELECT tableoid::regclass FROM nudge.actions WHERE recorded_at < '2002-01-01'"),
	'nudge.actions_2001_02', 'and moves the row that waited there');

# Somebody reads an old partition: dropping it is postponed
$reader->query_safe('BEGIN; SELECT count(*) FROM nudge.actions;');
is($node->safe_psql('postgres', "SELECT m -> 'postponed', m -> 'partitions_dropped' FROM nudge.maintain('2001-05-31') AS m"),
	'["making actions_2001_05", "making actions_2001_06", "making actions_2001_07", "dropping actions_2001_02"]|'
	  . '["events_2001_02", "message_results_2001_02", "messages_2001_02"]',
	'partitions in use are not dropped');
$reader->query_safe('COMMIT;');
is(maintain('2001-05-31', 'partitions_dropped'), '["actions_2001_02"]', 'the next run drops it');

# An open transaction that has inserted holds up the months of which there may be rows, whose
# INSERTs have to wait meanwhile, and not those ahead.
$reader->query_safe("BEGIN; INSERT INTO nudge.actions (user_id, action_type, recorded_at) VALUES ('u', 'x', '2001-06-15');");
is(maintain('2001-06-15', 'postponed'), '["making actions_2001_08"]', 'a month that has begun waits for transactions that have inserted');
is($node->safe_psql('postgres', "SET lock_timeout = '5s'; SET timezone = 'UTC'; "
		  . "SELECT nudge.make_partition('actions', 'recorded_at', date_trunc('month', now()) + interval '4 months')"),
	'0', 'a month ahead does not');
$reader->query_safe('COMMIT;');
is(maintain('2001-06-15', 'partitions_made'), '["actions_2001_08"]', 'the next run makes it');

# Two at once
$reader->query_safe("BEGIN; SELECT nudge.maintain('2001-06-15');");
is($node->safe_psql('postgres', "SELECT nudge.maintain('2001-06-15')"),
	'{"skipped": "another nudge.maintain() is at work"}', 'two never run at once');
# While one is still open and has made partitions, actions that belong elsewhere go in
$reader->query_safe('COMMIT;');
is($node->safe_psql('postgres', "SELECT nudge.maintain('2001-06-15') ? 'skipped'"), 'f', 'afterwards it does');

# A row that a user's transaction has locked is left for the next run
$node->safe_psql('postgres', "INSERT INTO nudge.cap_usage VALUES ('a', '{1}', '{email}', '{2001-01-01}', '{1}'), ('b', '{1}', '{email}', '{2001-01-01}', '{1}')");
$reader->query_safe("BEGIN; SELECT * FROM nudge.cap_usage WHERE user_id = 'a' FOR UPDATE;");
is(maintain('2001-06-15', 'rows_deleted'), '{"cap_usage": 1}', 'counts in use are left alone');
$reader->query_safe('COMMIT;');
is(maintain('2001-06-15', 'rows_deleted'), '{"cap_usage": 1}', 'until they are not');

# A standby says so
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
foreach my $call ("nudge.maintain()", "nudge.claim('x')", "nudge.ack(1, gen_random_uuid())",
	"nudge.nack(1, gen_random_uuid(), 'x')", "nudge.record_event(1, 'opened')")
{
	my ($code, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\nSELECT $call");
	like($err, qr/ERROR:  25006: /, "on a standby $call says that it cannot write");
}
is($standby->safe_psql('postgres', 'SELECT pending FROM nudge.health'), 0, 'and the health view works there');

$reader->quit;
$standby->stop;
$node->stop;
done_testing();
