# Executors that run at once, a run that sleeps, and a standby:
#
# - executors with big calls over the same users neither wait for each other nor
#   fail; no user gets more than the cap, every trigger ends exactly once
# - a run holds no snapshot and no transaction while it sleeps
# - on a standby the executor says 25006

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $executors = 4;
my $users = 300;
my $triggers = 6000;
my $cap = 3;

my $node = PostgreSQL::Test::Cluster->new('executor');
$node->init(allows_streaming => 1);
$node->start;

$node->safe_psql('postgres', <<SQL);
CREATE EXTENSION pg_nudge;
INSERT INTO nudge.users (user_id, email)
    SELECT 'user_' || n, 'x\@example.com' FROM generate_series(0, $users - 1) AS n;
INSERT INTO nudge.templates (template_id, body_text) VALUES ('t', 'Hello {{ user.user_id }}');
INSERT INTO nudge.rules (name, trigger_type, template_id) VALUES ('capped', 'behavioral', 't');
INSERT INTO nudge.frequency_caps (rule_id, period, max_messages) SELECT rule_id, 'daily', $cap FROM nudge.rules;
SQL

sub fill
{
	$node->safe_psql('postgres', <<SQL);
SELECT setseed(0.5);
INSERT INTO nudge.pending (user_id, rule_id, priority, fired_at, due_at)
    SELECT 'user_' || floor(random() * $users), rule_id,
           (enum_range(NULL::nudge.priority))[1 + floor(random() * 5)],
           '2020-03-02 10:00+00', '2020-03-02 10:00+00'::timestamptz + random() * interval '1 hour'
    FROM nudge.rules, generate_series(1, $triggers);
SQL
}

# Executors at once, each several calls in one transaction.  They start together,
# when lock 1 is to be had, and none commits before all have done their calls, when
# lock 2 is.  So were one to wait for another, its lock_timeout would be an error.
fill();
my $script = "SELECT pg_advisory_lock_shared(1);\nBEGIN;\nSET LOCAL lock_timeout = '5s';\n"
	. "SELECT 'took ' || executed + skipped FROM nudge.execute_pending(400, '2020-03-03');\n" x 3
	. "SET LOCAL lock_timeout = 0;\nSELECT pg_advisory_lock_shared(2);\nCOMMIT;\n";
my $gatekeeper = <<SQL;
DO \$\$ BEGIN
    PERFORM pg_advisory_lock(1), pg_advisory_lock(2);
    FOR gate IN 1..2 LOOP
        WHILE (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = gate AND NOT granted) < $executors
            AND clock_timestamp() < now() + interval '30 s' LOOP
            PERFORM pg_sleep(0.01);
        END LOOP;
        PERFORM pg_advisory_unlock(gate);
    END LOOP;
END \$\$
SQL
my $script_file = PostgreSQL::Test::Utils::tempdir . '/executor.sql';
PostgreSQL::Test::Utils::append_to_file($script_file, $script);
my $errors = '';
my $together = 0;
for my $round (1 .. 50)
{
	my (@runs, @out, @err);
	my $gate = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $gatekeeper ],
		'<', \undef, '>', \my $gate_out, '2>', \my $gate_err);
	$node->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND granted");
	for my $n (0 .. $executors - 1)
	{
		($out[$n], $err[$n]) = ('', '');
		push @runs, IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', $script_file ],
			'<', \undef, '>', \$out[$n], '2>', \$err[$n]);
	}
	$_->finish for @runs, $gate;
	$errors .= join('', @err, $gate_err);
	$together++ if (grep { /took [1-9]/ } @out) > 1;
	last if $node->safe_psql('postgres', 'SELECT count(*) FROM nudge.pending') == 0;
}
is($errors, '', 'executors at once do not fail');
cmp_ok($together, '>', 1, 'and several of them found work at once');
is($node->safe_psql('postgres', 'SELECT count(*) FROM nudge.pending'), 0, 'every trigger has ended');
is( $node->safe_psql('postgres', <<SQL), "$triggers|$triggers", 'each with one event');
SELECT count(*), count(DISTINCT pending_id) FROM nudge.events WHERE event_type IN ('executed', 'skipped')
SQL
is( $node->safe_psql('postgres', <<SQL), "$cap|$cap|" . $users * $cap, 'every user got as many messages as the cap allows');
SELECT min(n), max(n), sum(n) FROM (SELECT count(*) AS n FROM nudge.messages GROUP BY user_id) AS m
SQL
is( $node->safe_psql('postgres', 'SELECT sum(messages) FROM nudge.cap_counters'), $users * $cap, 'and so say the counts');

# A run that sleeps
my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "CALL nudge.run('1 hour', '1 hour')" ],
	'<', \undef, '>', \my $run_out, '2>', \my $run_err);
ok( $node->poll_query_until('postgres', <<SQL), 'a run that sleeps holds no snapshot and no transaction');
SELECT count(*) = 1 FROM pg_stat_activity
WHERE query LIKE 'CALL nudge.run%' AND wait_event_type = 'Extension' AND backend_xmin IS NULL AND backend_xid IS NULL
SQL
is( $node->safe_psql('postgres', 'SELECT count(*) FROM nudge.executor_runs WHERE finished_at IS NULL'), 1, 'it has told of itself');
$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CALL nudge.run%'");
$run->finish;
like($run_err, qr/canceling statement/, 'it can be cancelled');

# A standby
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
my ($ret, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\nSELECT nudge.execute_pending()");
like($err, qr/25006: cannot execute nudge.execute_pending\(\) during recovery/, 'on a standby: 25006');

done_testing();
