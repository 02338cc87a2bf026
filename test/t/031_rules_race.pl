# One session changes rules and their conditions over and over, each time in one
# transaction that leaves their meaning as it was, while others insert actions at
# each isolation level: a rule whose conditions never hold never fires, and one
# whose conditions always hold fires once for each action.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $changes = 400;
my $sessions = 2;
my $inserts = 100;

my $node = PostgreSQL::Test::Cluster->new('rules_race');
$node->init;
$node->start;

# Rules between the two that count make a load last long enough to be overtaken.
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pg_nudge;
INSERT INTO nudge.rules (name, trigger_type)
SELECT CASE n WHEN 1 THEN 'always' WHEN 2 THEN 'never' ELSE 'filler ' || n END, 'behavioral'
FROM generate_series(1, 6000) AS n;
INSERT INTO nudge.conditions (rule_id, position, condition_type, parameters)
SELECT rule_id, 0, 'action_type', jsonb_build_object('types', jsonb_build_array(CASE name WHEN 'always' THEN 'act' ELSE 'other' END))
FROM nudge.rules;
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

my $change = <<'SQL';
BEGIN;
UPDATE nudge.rules SET description = clock_timestamp()::text WHERE name IN ('always', 'never');
DELETE FROM nudge.conditions WHERE rule_id IN (SELECT rule_id FROM nudge.rules WHERE name IN ('always', 'never'));
INSERT INTO nudge.conditions (rule_id, position, condition_type, parameters)
SELECT rule_id, 0, 'action_type', jsonb_build_object('types', jsonb_build_array(CASE name WHEN 'always' THEN 'act' ELSE 'other' END))
FROM nudge.rules WHERE name IN ('always', 'never');
COMMIT;
SQL

my $n = 0;
foreach my $level ('read committed', 'repeatable read', 'serializable')
{
	my $user = 'user_' . ++$n;
	my $changer = start_pgbench("change_$n", $change, 'read committed', '-t', $changes);
	my $insert = start_pgbench("insert_$n",
		"INSERT INTO nudge.actions (user_id, action_type) VALUES ('$user', 'act');\n",
		$level, '-c', $sessions, '-t', $inserts);

	$insert->{run}->finish;
	$changer->{run}->finish;
	is($insert->{run}->result(0), 0, "$level: no INSERT failed")
	  or diag(${ $insert->{err} });
	is($changer->{run}->result(0), 0, "$level: no change of the rules failed")
	  or diag(${ $changer->{err} });
	is($node->safe_psql('postgres', <<SQL), '0', "$level: what never holds never fires");
SELECT count(*) FROM nudge.pending JOIN nudge.rules USING (rule_id)
WHERE user_id = '$user' AND name <> 'always'
SQL
	is($node->safe_psql('postgres', <<SQL), $sessions * $inserts . '|0', "$level: what always holds fires once for each action");
SELECT count(*), count(*) FILTER (WHERE fired <> 1)
FROM (SELECT a.action_id, count(p.pending_id) AS fired
      FROM nudge.actions a
      LEFT JOIN (nudge.pending p JOIN nudge.rules r ON r.rule_id = p.rule_id AND r.name = 'always')
          ON p.action_id = a.action_id AND p.user_id = a.user_id
      WHERE a.user_id = '$user'
      GROUP BY a.action_id) AS c
SQL
}

$node->stop;
done_testing();
