# kill -9 of a backend and immediate stops of the server, under load, against a
# ledger that is kept outside of the database:
#
# - an action that was acknowledged is there, once; one that was rolled back is not
# - an action fires a rule once, and a trigger gives one message
# - no user gets more than the cap
# - a message whose ack was acknowledged is sent, and is never handed out again

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds = $ENV{PG_NUDGE_CRASH_ROUNDS} || 20;
my $writers = 3;
my $actions_a_round = 400;
my $users = 25;
my $cap = 4;

my $node = PostgreSQL::Test::Cluster->new('crash');
$node->init;
$node->append_conf('postgresql.conf', <<CONF);
fsync = on
restart_after_crash = on
autovacuum_naptime = 1s
CONF
$node->start;

$node->safe_psql('postgres', <<SQL);
CREATE EXTENSION pg_nudge;
INSERT INTO nudge.users (user_id, email)
    SELECT 'user_' || n, 'user_' || n || '\@example.com' FROM generate_series(0, $users - 1) AS n;
INSERT INTO nudge.templates (template_id, subject, body_text)
    VALUES ('crash', 'Hello {{ user.user_id }}', 'Action {{ action.data.key }}');
SELECT nudge.create_rule('{"name": "crash capped", "type": "behavioral", "priority": "immediate",
    "template_id": "crash", "max_frequency": {"daily": $cap},
    "conditions": [{"type": "action_type", "parameters": {"types": ["crash"]}}]}');
SELECT nudge.create_rule('{"name": "crash free", "type": "behavioral", "template_id": "crash",
    "conditions": [{"type": "action_type", "parameters": {"types": ["crash", "crash_free"]}}]}');
SQL

my $ledger_dir = PostgreSQL::Test::Utils::tempdir;
my $connection = $node->connstr('postgres');

# A psql that runs a script, with its output going to a file of the ledger.
sub start_script
{
	my ($name, $script) = @_;
	my $in = "$ledger_dir/$name.sql";
	my $out = "$ledger_dir/$name.out";

	PostgreSQL::Test::Utils::append_to_file($in, $script);
	my $run = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $connection, '-f', $in ],
		'>>', $out, '2>', '/dev/null', '<', \undef);
	return $run;
}

# Inserts actions one by one.  psql prints a key only after the server has
# acknowledged its commit; every tenth action is rolled back instead.
sub writer_script
{
	my ($round, $writer) = @_;
	my $script = '';
	foreach my $i (1 .. $actions_a_round)
	{
		my $user = 'user_' . (($i * 7 + $writer) % $users);
		my $type = $i % 3 ? 'crash' : 'crash_free';
		my $key = "$round-$writer-$i";
		if ($i % 10 == 0)
		{
			$script .= "BEGIN; INSERT INTO nudge.actions (user_id, action_type, action_data) "
			  . "VALUES ('$user', '$type', '{\"key\": \"rolled-back-$key\"}'); ROLLBACK;\n";
		}
		else
		{
			$script .= "INSERT INTO nudge.actions (user_id, action_type, action_data) "
			  . "VALUES ('$user', '$type', '{\"key\": \"$key\"}') RETURNING action_data ->> 'key';\n";
		}
	}
	return $script;
}

# The server restarts after a kill.  A psql that is turned away meanwhile may end
# before it has read its query, which then is a broken pipe for us: try again.
sub wait_for_recovery
{
	foreach (1 .. 180)
	{
		my ($code, $out) = eval {
			$node->psql('postgres', 'SELECT NOT pg_is_in_recovery()', on_error_stop => 0);
		};
		return if defined $code && $code == 0 && $out eq 't';
		sleep 1;
	}
	die 'the server did not come back';
}

my $executor_script = "SELECT executed FROM nudge.execute_pending(37);\n" x 500;

# Claims, and acks in a transaction of its own; psql prints the ids after the
# acknowledgement.
my $mailer_script = <<'SQL' x 300;
SELECT coalesce(array_agg(message_id), '{}') AS ids, coalesce(array_agg(claim_token), '{}') AS tokens
FROM nudge.claim('crash mailer', 20) \gset
SELECT nudge.ack(:'ids'::bigint[], :'tokens'::uuid[]) \gset acked_
SELECT unnest(:'ids'::bigint[]);
SQL

foreach my $round (1 .. $rounds)
{
	my @runs;
	push @runs, start_script("writer_${round}_$_", writer_script($round, $_)) foreach (1 .. $writers);
	push @runs, start_script("executor_${round}_$_", $executor_script) foreach (1 .. 2);
	push @runs, start_script("mailer_$round", $mailer_script);

	# Under load: some of this round's actions are in, but not all of them.
	$node->poll_query_until('postgres', <<SQL) or die "no load in round $round";
SELECT count(*) >= 60 + 20 * ($round % 7) FROM nudge.actions WHERE action_data ->> 'key' LIKE '$round-%';
SQL

	if ($round % 2)
	{
		my $victim = $node->safe_psql('postgres', <<SQL);
SELECT pid FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1;
SQL
		kill 'KILL', $victim if $victim;
		$_->finish foreach @runs;
		wait_for_recovery();
	}
	else
	{
		$node->stop('immediate');
		$_->finish foreach @runs;
		$node->start;
	}
}

# Let everything that is left run to its end: leases of dead mailers too.
$node->safe_psql('postgres', 'UPDATE nudge.message_queue SET lease_until = clock_timestamp() WHERE lease_until IS NOT NULL');
$node->safe_psql('postgres', 'UPDATE nudge.message_blocks SET next_at = \'-infinity\'');
start_script('final_executor', "SELECT executed FROM nudge.execute_pending(1000);\n" x 40)->finish;
start_script('final_mailer', $mailer_script x 3)->finish;

# The outside ledger
my (@acknowledged, @sent);
foreach my $file (glob "$ledger_dir/writer_*.out")
{
	push @acknowledged, grep { /^\d+-\d+-\d+$/ } split /\n/, slurp_file($file);
}
foreach my $file (glob "$ledger_dir/{mailer_*,final_mailer}.out")
{
	push @sent, grep { /^\d+$/ } split /\n/, slurp_file($file);
}
cmp_ok(scalar(@acknowledged), '>', $rounds * 50, 'actions were acknowledged');
cmp_ok(scalar(@sent), '>', $rounds * 20, 'messages were sent');

sub load_ledger
{
	my ($table, $type, @values) = @_;
	my $file = "$ledger_dir/$table.txt";
	PostgreSQL::Test::Utils::append_to_file($file, join("\n", @values) . "\n");
	$node->safe_psql('postgres', "CREATE TABLE $table (value $type);\n\\copy $table FROM '$file'");
	return;
}
load_ledger('acknowledged', 'text', @acknowledged);
load_ledger('sent', 'bigint', @sent);

sub count_is_zero
{
	my ($query, $name) = @_;
	is($node->safe_psql('postgres', "SELECT count(*) FROM ($query) AS q"), '0', $name);
	return;
}

count_is_zero(<<'SQL', 'no acknowledged action is lost or doubled');
SELECT a.value FROM acknowledged a LEFT JOIN nudge.actions x ON x.action_data ->> 'key' = a.value
GROUP BY a.value HAVING count(x.action_id) <> 1
SQL
count_is_zero(<<'SQL', 'no rolled-back action is there');
SELECT FROM nudge.actions WHERE action_data ->> 'key' LIKE 'rolled-back-%'
SQL
count_is_zero(<<'SQL', 'each rule decided once about each action that it matches');
SELECT a.action_id, r.rule_id FROM nudge.actions a
JOIN nudge.rules r ON r.name = 'crash free' OR (r.name = 'crash capped' AND a.action_type = 'crash')
LEFT JOIN nudge.events e ON e.action_id = a.action_id AND e.rule_id = r.rule_id
    AND e.event_type IN ('scheduled', 'capped') AND e.user_id = a.user_id
GROUP BY 1, 2 HAVING count(e.event_id) <> 1
SQL
count_is_zero(<<'SQL', 'each scheduled trigger ended once: as a message, or skipped by the cap');
SELECT s.pending_id FROM nudge.events s
LEFT JOIN nudge.events e ON e.pending_id = s.pending_id AND e.event_type IN ('executed', 'skipped') AND e.user_id = s.user_id
WHERE s.event_type = 'scheduled'
GROUP BY 1 HAVING count(e.event_id) <> 1
SQL
count_is_zero('SELECT FROM nudge.pending', 'nothing is left pending');
count_is_zero(<<'SQL', 'no trigger gave two messages');
SELECT rule_id, action_id FROM nudge.messages GROUP BY 1, 2 HAVING count(*) > 1
SQL
count_is_zero(<<'SQL', 'every executed trigger has its message');
SELECT FROM nudge.events e LEFT JOIN nudge.messages m ON m.message_id = e.message_id
WHERE e.event_type = 'executed' AND m.pending_id IS DISTINCT FROM e.pending_id
SQL
# The run may pass midnight, so count by the day on which a trigger fired.
count_is_zero(<<SQL, 'no user got more than the cap');
SELECT m.user_id FROM nudge.messages m JOIN nudge.rules r USING (rule_id)
WHERE r.name = 'crash capped'
GROUP BY m.user_id, (m.fired_at AT TIME ZONE 'UTC')::date HAVING count(*) > $cap
SQL
is($node->safe_psql('postgres', <<SQL), 't', 'the cap was reached');
SELECT max(n) = $cap FROM (SELECT count(*) AS n FROM nudge.messages m JOIN nudge.rules r USING (rule_id)
    WHERE r.name = 'crash capped' GROUP BY m.user_id) AS c
SQL
count_is_zero(<<'SQL', 'the counts of the caps are those of the messages');
SELECT m.user_id, m.rule_id FROM nudge.messages m JOIN nudge.rules r USING (rule_id)
LEFT JOIN (SELECT user_id, rule_id, sum(messages) AS n FROM nudge.cap_counters GROUP BY 1, 2) c USING (user_id, rule_id)
WHERE r.name = 'crash capped'
GROUP BY 1, 2, c.n HAVING count(*) IS DISTINCT FROM c.n
SQL
count_is_zero(<<'SQL', 'a message whose ack was acknowledged is sent, once');
SELECT s.value FROM sent s LEFT JOIN nudge.message_results o ON o.message_id = s.value AND o.status = 'sent'
GROUP BY 1 HAVING count(*) <> 1 OR count(o.message_id) <> 1
SQL
count_is_zero(<<'SQL', 'no message is left, doubled or lost');
SELECT m.message_id FROM nudge.messages m LEFT JOIN nudge.outbox o USING (message_id)
GROUP BY 1 HAVING count(o.message_id) <> 1 OR min(o.status) <> 'sent'
SQL

$node->stop;
done_testing();
