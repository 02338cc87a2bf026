# 16 sessions insert actions of one user while several executors run, at each
# isolation level: nobody gets more than the caps, and no INSERT fails.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $sessions = 16;
my $inserts = 40;

my $node = PostgreSQL::Test::Cluster->new('one_user');
$node->init;
$node->append_conf('postgresql.conf', "max_connections = 60\n");
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pg_nudge;
INSERT INTO nudge.templates (template_id, subject, body_text) VALUES ('t', 'Subject', 'Body');
SELECT nudge.create_rule(jsonb_build_object('name', 'rule ' || n, 'type', 'behavioral', 'priority', 'immediate',
    'template_id', 't', 'max_frequency', jsonb_build_object('daily', 5),
    'conditions', '[{"type": "action_type", "parameters": {"types": ["act"]}}]'::jsonb))
FROM generate_series(1, 3) AS n;
-- all rules together, and the channel
INSERT INTO nudge.frequency_caps (period, max_messages) VALUES ('weekly', 12);
INSERT INTO nudge.frequency_caps (channel, period, max_messages) VALUES ('email', 'monthly', 11);
SQL

my $dir = PostgreSQL::Test::Utils::tempdir;

sub start_pgbench
{
	my ($name, $script, $level, @options) = @_;
	PostgreSQL::Test::Utils::append_to_file("$dir/$name.sql", $script);
	local $ENV{PGOPTIONS} = "-c default_transaction_isolation=" . ($level =~ s/ /\\ /r);
	my ($out, $err) = ('', '');
	my $run = IPC::Run::start(
		[
			'pgbench', '-n', '-h', $node->host, '-p', $node->port,
			'-f', "$dir/$name.sql", @options, 'postgres'
		],
		'<', \undef, '>', \$out, '2>', \$err);
	return { run => $run, out => \$out, err => \$err };
}

my $n = 0;
foreach my $level ('read committed', 'repeatable read', 'serializable')
{
	my $user = 'user_' . ++$n;
	$node->safe_psql('postgres',
		"INSERT INTO nudge.users (user_id, email) VALUES ('$user', '$user\@example.com')");

	my $insert = start_pgbench("insert_$n",
		"INSERT INTO nudge.actions (user_id, action_type) VALUES ('$user', 'act'), ('$user', 'act');\n",
		$level, '-c', $sessions, '-j', 2, '-t', $inserts);

	# Executors may have to try again where the isolation level says so.
	my $execute = start_pgbench("execute_$n",
		"SELECT nudge.execute_pending(7);\n",
		$level, '-c', 4, '-t', 60, '--max-tries', 100);
	$insert->{run}->finish;
	$execute->{run}->finish;
	is($insert->{run}->result(0), 0, "$level: no INSERT failed")
	  or diag(${ $insert->{err} });
	like(${ $insert->{out} },
		qr/number of transactions actually processed: ${\($sessions * $inserts)}\/${\($sessions * $inserts)}/,
		"$level: all INSERTs are in");
	is($execute->{run}->result(0), 0, "$level: no executor failed")
	  or diag(${ $execute->{err} });

	$node->safe_psql('postgres', 'SELECT nudge.execute_pending(1000)') foreach (1 .. 10);
	is( $node->safe_psql('postgres', <<SQL), '0|11|t', "$level: nothing pending, the tightest cap is met exactly");
SELECT (SELECT count(*) FROM nudge.pending),
       (SELECT count(*) FROM nudge.messages WHERE user_id = '$user'),
       (SELECT max(n) <= 5 FROM (SELECT count(*) AS n FROM nudge.messages WHERE user_id = '$user' GROUP BY rule_id) AS c)
SQL
	is($node->safe_psql('postgres', <<SQL), '0', "$level: each action was decided once by each rule");
SELECT count(*) FROM (
    SELECT action_id FROM nudge.events
    WHERE user_id = '$user' AND event_type IN ('scheduled', 'capped')
    GROUP BY action_id, rule_id HAVING count(*) <> 1) AS d
SQL
}

$node->stop;
done_testing();
