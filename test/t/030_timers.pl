# Schedules fire each occurrence exactly once: random actions of random users, random
# steps of the clock, runs of timers that overlap and go back in time, kill -9 and
# immediate stops between and inside of runs.  What has fired is held against what
# should have, worked out here from the actions that were committed.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds = $ENV{PG_NUDGE_TIMER_ROUNDS} || 12;
my $seed = $ENV{PG_NUDGE_TIMER_SEED} || 20210101;
my $users = 40;
my $writers = 2;
my $actions_a_round = 120;
my $hour = 3600;
my $day = 24 * $hour;

srand($seed);
note("seed $seed");

my $node = PostgreSQL::Test::Cluster->new('timers');
$node->init;
$node->append_conf('postgresql.conf', <<CONF);
fsync = on
restart_after_crash = on
timezone = 'UTC'
CONF
$node->start;

# The clock is one of ours, in seconds since 1970; it begins with 2021.
my $start = 1609459200;
my $clock = $start;

my @zones = ('Europe/Berlin', 'America/New_York', 'Asia/Tokyo', undef);
my @births = ('2012-02-29', '2016-01-05', '2017-03-28', '2018-12-31', '2019-01-20');
my @rows;
foreach my $n (0 .. $users - 1)
{
	my $zone = $zones[ $n % @zones ];
	my $joined = sprintf('2020-12-%02d', 15 + int(rand(15)));
	push @rows, sprintf(q{('user_%d', %s, '{"birthday": "%s", "joined": "%s"}')},
		$n, defined $zone ? "'$zone'" : 'NULL', $births[ rand @births ], $joined);
}
my $rows = join(",\n", @rows);

# What is to be made up for whenever it is (grace), and what is not.
my %schedules = (
	anniversary => '"kind": "anniversary", "attribute": "profile.birthday", "offset": "-1 day", "grace": "50 years"',
	milestone => '"kind": "milestone", "attribute": "profile.joined", "after": "10 days", "grace": "50 years"',
	cart => '"kind": "abandonment", "start": "cart_add", "unless": ["purchase"], "within": "1 hour", "key": "$.cart", "grace": "50 years"',
	cart_late => '"kind": "abandonment", "start": "cart_add", "unless": ["purchase"], "within": "1 hour", "key": "$.cart"',
	restart => '"kind": "abandonment", "start": "cart_add", "unless": ["purchase"], "within": "3 hours", "key": "$.cart", "restart": true, "grace": "50 years"',
	decline => '"kind": "decline", "types": ["view"], "after": "30 hours", "grace": "50 years"',
	decline_late => '"kind": "decline", "types": ["view", "book"], "after": "20 hours"',
	reminder => '"kind": "reminder", "action": "book", "path": "$.starts_at", "key": "$.cart", "offset": "-1 day", "unless": "cancel", "grace": "50 years"',
	renewal => '"kind": "reminder", "attribute": "profile.renewal", "offset": "-1 day", "grace": "50 years"',
	recurring => '"kind": "recurring", "days": ["mon", "thu"], "starting": "2021-01-01", "grace": "50 years"',
	recurring_late => '"kind": "recurring", "every": "2 days", "starting": "2021-01-01", "at": "18:00"');

my $setup = <<SQL;
CREATE EXTENSION pg_nudge;
INSERT INTO nudge.users (user_id, timezone, profile) VALUES $rows;
CREATE TABLE moves (user_id text, at timestamptz, date date);
SQL
foreach my $name (sort keys %schedules)
{
	$setup .= qq{SELECT nudge.create_rule('{"name": "$name", "type": "time_based", "schedule": {$schedules{$name}}}');\n};
}
$node->safe_psql('postgres', $setup);

my $script_dir = PostgreSQL::Test::Utils::tempdir;
my $connection = $node->connstr('postgres');

sub start_script
{
	my ($name, $script) = @_;
	my $in = "$script_dir/$name.sql";

	PostgreSQL::Test::Utils::append_to_file($in, $script);
	return IPC::Run::start([ 'psql', '-XAtq', '-d', $connection, '-f', $in ],
		'>', '/dev/null', '2>', '/dev/null', '<', \undef);
}

# Actions between two times; each user's are of one writer and in order.
sub writer_script
{
	my ($round, $writer, $from, $to) = @_;
	my $script = '';
	my $step = ($to - $from) / $actions_a_round;

	foreach my $i (0 .. $actions_a_round - 1)
	{
		my $at = $from + int($step * $i + rand($step)) + 1;
		my $user = 'user_' . ($writer + $writers * int(rand($users / $writers)));
		my $type = (qw(cart_add cart_add purchase view view book cancel))[ rand 7 ];
		my $data = sprintf('"cart": %d, "round": %d', rand(2), $round);
		$data .= sprintf(', "starts_at": %d', $at + $day + int(rand(4 * $day))) if $type eq 'book';
		$data = qq{"round": $round} if $type eq 'purchase' && rand() < 0.2;
		my $insert = "INSERT INTO nudge.actions (user_id, action_type, occurred_at, action_data) "
		  . "VALUES ('$user', '$type', to_timestamp($at), '{$data}');\n";
		$script .= rand() < 0.1 ? "BEGIN; ${insert}ROLLBACK;\n" : $insert;
	}
	return $script;
}

# Runs as of times up to one, most often the last
sub runner_script
{
	my ($until, $runs) = @_;
	my $script = '';
	foreach (1 .. $runs)
	{
		my $as_of = rand() < 0.5 ? $until : $until - int(rand(3 * $day));
		$script .= "SELECT nudge.run_timers(to_timestamp($as_of));\n";
	}
	return $script;
}

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

# The first run may be one that is killed, too.
my $kills = 0;
foreach my $round (1 .. $rounds)
{
	my $next = $clock + $hour + int(rand(rand() < 0.3 ? 4 * $day : 12 * $hour));
	my @runs;

	# Some dates move, and some are cleared, when all has fired that was due.
	my $moves = '';
	foreach my $n (map { int(rand($users)) } 1 .. 8)
	{
		my $date = rand() < 0.2 ? 'NULL' : sprintf(q{date '2021-01-01' + %d}, ($clock - $start) / $day + 3 + int(rand(5)));
		$moves .= "INSERT INTO moves VALUES ('user_$n', to_timestamp($clock), $date) ON CONFLICT DO NOTHING;\n";
	}
	$node->safe_psql('postgres', <<SQL);
CREATE UNIQUE INDEX IF NOT EXISTS moves_key ON moves (user_id, at);
SELECT nudge.run_timers(to_timestamp($clock));
$moves
UPDATE nudge.users u SET profile = CASE WHEN m.date IS NULL THEN u.profile - 'renewal'
                                        ELSE u.profile || jsonb_build_object('renewal', m.date) END
FROM moves m WHERE m.user_id = u.user_id AND m.at = to_timestamp($clock);
SQL

	push @runs, start_script("writer_${round}_$_", writer_script($round, $_, $clock, $next)) foreach (0 .. $writers - 1);
	push @runs, start_script("runner_${round}_$_", runner_script($clock, 40)) foreach ($round % 2 ? 1 : (1 .. 3));
	if ($round % 4)
	{
		my $some = 20 + int(rand(100));
		$node->poll_query_until('postgres', <<SQL) or die "no load in round $round";
SELECT count(*) >= $some FROM nudge.actions WHERE action_data \@> '{"round": $round}'
SQL
	}
	if ($round % 2)
	{
		# A run that is killed at work: it waits for a table that somebody holds.
		my $table = (qw(timers timer_signals))[ rand 2 ];
		my $holder = start_script("holder_$round", "BEGIN; LOCK TABLE nudge.$table IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3600);\n");
		push @runs, $holder;
		$node->poll_query_until('postgres', <<SQL) or die "no lock in round $round";
SELECT count(*) = 1 FROM pg_locks WHERE relation = 'nudge.$table'::regclass AND mode = 'AccessExclusiveLock' AND granted
SQL
		push @runs, start_script("runner_${round}_$_", runner_script($clock, 40)) foreach (2, 3);
		$node->poll_query_until('postgres', <<SQL) or die "nobody waits in round $round";
SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'relation' AND query LIKE '%run_timers%'
SQL
		my $victim = $node->safe_psql('postgres', <<SQL);
SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'relation' AND query LIKE '%run_timers%' LIMIT 1
SQL
		kill 'KILL', $victim;
		$kills++;
		$_->finish foreach @runs;
		wait_for_recovery();
	}
	elsif ($round % 4 == 2)
	{
		$node->stop('immediate');
		$kills++;
		$_->finish foreach @runs;
		$node->start;
	}
	else
	{
		$_->finish foreach @runs;
	}
	$clock = $next;
}
cmp_ok($kills, '>=', $rounds / 2, 'runs were killed');

# The last run, twice, and an earlier one
my $end = $clock + 3 * $day;
$node->safe_psql('postgres', "SELECT nudge.run_timers(to_timestamp($end))");
is($node->safe_psql('postgres', "SELECT nudge.run_timers(to_timestamp($end)), nudge.run_timers(to_timestamp($start + $day))"),
	'0|0', 'nothing fires twice');

#
# What should have fired: "rule user time" => 1
#
my %expected;

sub expect_at
{
	my ($rule, $user, $at) = @_;
	$expected{"$rule $user $at"}++ if $at <= $end;
	return;
}

# By dates and clocks, reckoned by PostgreSQL
foreach my $line (split /\n/, $node->safe_psql('postgres', <<SQL))
WITH u AS (SELECT user_id, coalesce(timezone, 'UTC') AS zone, (profile ->> 'birthday')::date AS birthday,
                  (profile ->> 'joined')::date AS joined FROM nudge.users)
SELECT 'anniversary', user_id, extract(epoch FROM
    ((birthday + make_interval(years => n))::date - 1 + time '09:00') AT TIME ZONE zone)::bigint
FROM u, generate_series(1, 20) AS n
UNION ALL
SELECT 'milestone', user_id, extract(epoch FROM (joined + 10 + time '09:00') AT TIME ZONE zone)::bigint FROM u
UNION ALL
SELECT 'recurring', user_id, extract(epoch FROM (d + time '09:00') AT TIME ZONE zone)::bigint
FROM u, generate_series(timestamp '2021-01-01', '2021-12-31', '1 day') AS d WHERE extract(isodow FROM d) IN (1, 4)
UNION ALL
SELECT DISTINCT 'renewal', user_id, extract(epoch FROM due)::bigint
FROM (SELECT m.user_id, (m.date - 1 + time '09:00') AT TIME ZONE u.zone AS due,
             lead(m.at) OVER (PARTITION BY m.user_id ORDER BY m.at) AS next_at
      FROM moves m JOIN u USING (user_id)) AS x
WHERE due <= next_at OR due IS NOT NULL AND next_at IS NULL
UNION ALL
SELECT 'recurring_late', user_id, extract(epoch FROM (d + time '18:00') AT TIME ZONE zone)::bigint
FROM u, generate_series(timestamp '2021-01-01', '2021-12-31', '2 days') AS d
SQL
{
	expect_at(split /\|/, $line);
}

# By actions
my (%carts, %views, %visits, %bookings);
foreach my $line (split /\n/, $node->safe_psql('postgres', <<SQL))
SELECT user_id, action_type, extract(epoch FROM occurred_at)::bigint, coalesce(action_data ->> 'cart', ''),
       coalesce(action_data ->> 'starts_at', '')
FROM nudge.actions ORDER BY user_id, occurred_at, action_id
SQL
{
	my ($user, $type, $at, $cart, $starts_at) = split /\|/, $line, -1;
	foreach my $key ($cart eq '' ? (0, 1) : ($cart))
	{
		push @{ $carts{"$user $key"} }, [ $type, $at ] if $type eq 'cart_add' || $type eq 'purchase';
		push @{ $bookings{"$user $key"} }, [ $type, $at, $starts_at ] if $type eq 'book' || $type eq 'cancel';
	}
	push @{ $views{$user} }, $at if $type eq 'view';
	push @{ $visits{$user} }, $at if $type eq 'view' || $type eq 'book';
}

foreach my $cart (keys %carts)
{
	my ($user) = split / /, $cart;
	my @actions = @{ $carts{$cart} };
	my $open = -1;    # end of the time in which another cart_add changes nothing

	foreach my $i (0 .. $#actions)
	{
		my ($type, $at) = @{ $actions[$i] };
		my ($next_type, $next) = $i < $#actions ? @{ $actions[ $i + 1 ] } : ('', 9e15);

		if ($type eq 'purchase')
		{
			$open = -1;
			next;
		}
		expect_at('restart', $user, $at + 3 * $hour) if $next > $at + 3 * $hour;
		next if $at < $open;
		$open = $at + $hour;
		my ($answer) = grep { $_->[0] eq 'purchase' } @actions[ $i + 1 .. $#actions ];
		next if defined $answer && $answer->[1] <= $open;
		expect_at($_, $user, $open) foreach ('cart', 'cart_late');
	}
}

sub expect_declines
{
	my ($rule, $after, $times) = @_;
	foreach my $user (keys %$times)
	{
		my @at = @{ $times->{$user} };
		foreach my $i (0 .. $#at)
		{
			expect_at($rule, $user, $at[$i] + $after) if $i == $#at || $at[ $i + 1 ] > $at[$i] + $after;
		}
	}
	return;
}
expect_declines('decline', 30 * $hour, \%views);
expect_declines('decline_late', 20 * $hour, \%visits);

foreach my $booking (keys %bookings)
{
	my ($user) = split / /, $booking;
	my @actions = @{ $bookings{$booking} };
	foreach my $i (0 .. $#actions)
	{
		my ($type, $at, $starts_at) = @{ $actions[$i] };
		next if $type ne 'book';
		expect_at('reminder', $user, $starts_at - $day)
		  if $i == $#actions || $actions[ $i + 1 ]->[1] > $starts_at - $day;
	}
}

#
# What has fired, and what came too late to fire
#
my (%happened, %late);
foreach my $line (split /\n/, $node->safe_psql('postgres', <<SQL))
SELECT r.name, p.user_id,
       extract(epoch FROM CASE WHEN p.action_type = 'timer' THEN (p.action_data ->> 'occurs_at')::timestamptz
                               WHEN r.name = 'reminder' THEN to_timestamp((p.action_data ->> 'starts_at')::bigint) - interval '1 day'
                               ELSE p.occurred_at + (r.schedule ->> 'within')::interval END)::bigint,
       extract(epoch FROM p.fired_at)::bigint, r.name ~ '_late\$', false
FROM nudge.pending p JOIN nudge.rules r USING (rule_id)
UNION ALL
SELECT r.name, e.user_id, extract(epoch FROM (e.metadata ->> 'occurs_at')::timestamptz)::bigint,
       extract(epoch FROM e.occurred_at)::bigint, r.name ~ '_late\$', true
FROM nudge.events e JOIN nudge.rules r USING (rule_id) WHERE e.event_type = 'skipped' AND e.reason = 'late'
SQL
{
	my ($rule, $user, $at, $when, $graced, $was_late) = split /\|/, $line;
	$happened{"$rule $user $at"}++;
	$late{$rule}++ if $was_late eq 't';
	fail("$rule $user $at at $when") if $when < $at;
	fail("$rule $user $at at $when, late: $was_late")
	  if $was_late ne ($graced eq 't' && $at < $when - $day ? 't' : 'f');
}
foreach my $rule (sort keys %schedules)
{
	my @missing = grep { /^$rule / && !$happened{$_} } keys %expected;
	my @twice = grep { /^$rule / && $happened{$_} > ($expected{$_} // 1) } keys %happened;
	my @wrong = grep { /^$rule / && !$expected{$_} } keys %happened;
	my $total = grep { /^$rule / } keys %expected;

	cmp_ok($total, '>', 10, "$rule: there was something to fire ($total)");
	is("@missing[0 .. ($#missing > 4 ? 4 : $#missing)]", '', "$rule: no occurrence was missed");
	is("@twice", '', "$rule: no occurrence fired twice");
	is("@wrong[0 .. ($#wrong > 4 ? 4 : $#wrong)]", '', "$rule: nothing else fired");
}
cmp_ok($late{recurring_late} // 0, '>', 0, 'some were late');
is($node->safe_psql('postgres', 'SELECT count(*) FROM nudge.timer_signals'), '0', 'all signals were heard');

$node->stop;
done_testing();
