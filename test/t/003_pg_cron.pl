# A real pg_cron runs the jobs: those of the database that it lives in, and those
# of another database by what nudge.schedule_jobs() says to run.  The executor
# turns a due trigger into a message; nothing here calls a job's command by hand.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('cron');
$node->init;
my $other = q{the "other's" shop};
$node->append_conf('postgresql.conf', <<CONF);
timezone = 'UTC'
CONF
$node->start;

# Not even the library: what to do is said in full.
$node->safe_psql('postgres', 'CREATE DATABASE cronless');
$node->safe_psql('cronless', 'CREATE EXTENSION pg_nudge');
my ($code, $out, $err) = $node->psql('cronless', 'SELECT nudge.schedule_jobs()');
like($err, qr/pg_cron is not installed in database cronless.*HINT: .*shared_preload_libraries.*cron\.database_name/s,
	'without pg_cron the hint says how to get it');

$node->append_conf('postgresql.conf', <<CONF);
shared_preload_libraries = 'pg_cron'
cron.database_name = 'main'
cron.host = '@{[ $node->host ]}'
CONF
$node->restart;
# (psql needs no quoting of names in createdb's way)
$node->safe_psql('postgres', 'CREATE DATABASE main');
$node->safe_psql('postgres', q{CREATE DATABASE "the ""other's"" shop"});

my $setup = <<'SQL';
CREATE EXTENSION pg_nudge;
INSERT INTO nudge.users (user_id, email) VALUES ('u', 'u@example.org');
INSERT INTO nudge.templates (template_id, subject, body_text) VALUES ('t', 'Hello', 'Hello {{ user.user_id }}');
SELECT nudge.create_rule('{"name": "r", "type": "behavioral", "priority": "immediate", "template_id": "t",
    "conditions": [{"type": "action_type", "parameters": {"types": ["login"]}}]}');
SQL
my $other_connstr = $node->connstr . qq{ dbname='the "other\\'s" shop'};
sub other
{
	my ($sql) = @_;
	my ($stdout, $stderr);
	my $ok = IPC::Run::run([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $other_connstr ],
		'<', \$sql, '>', \$stdout, '2>', \$stderr);
	chomp $stdout;
	return wantarray ? ($ok, $stdout, $stderr) : $stdout;
}
$node->safe_psql('main', $setup);
other($setup);

# pg_cron is meant for this database, but has not been created
($code, $out, $err) = $node->psql('main', 'SELECT nudge.schedule_jobs()');
like($err, qr/HINT:\s+Run CREATE EXTENSION pg_cron/, 'where only CREATE EXTENSION is missing, that is said');
$node->safe_psql('main', 'CREATE EXTENSION pg_cron');

my $count = $node->safe_psql('main', 'SELECT count(*) FROM nudge.jobs');
cmp_ok($count, '>', 0, 'there are jobs');

# In its own database; twice gives one set of jobs, and partitions exist at once
is($node->safe_psql('main', 'SELECT nudge.schedule_jobs()'), $count, 'schedule_jobs() tells how many jobs');
my $jobs = 'SELECT jobname, schedule, command, database, username, active FROM cron.job ORDER BY jobname';
# (which jobs there are, test/sql/jobs.sql says)
my $own = $node->safe_psql('main', q{SELECT string_agg(concat_ws('|', job_name, schedule, command, 'main', '%s', 't'), E'\n' ORDER BY job_name) FROM nudge.jobs});
my $superuser = $node->safe_psql('main', 'SELECT current_user');
is($node->safe_psql('main', $jobs), sprintf($own, ($superuser) x $count), 'the jobs are there');
is($node->safe_psql('main', 'SELECT nudge.schedule_jobs()'), $count, 'once more');
is($node->safe_psql('main', $jobs), sprintf($own, ($superuser) x $count), 'one set of jobs');
is($node->safe_psql('main', q{SELECT partitions = to_char(now() AT TIME ZONE 'UTC' + interval '2 months', 'YYYY-MM') FROM nudge.health}),
	't', 'partitions have been made ahead');

# Removed, and scheduled again by a role that has no more than access executor
is($node->safe_psql('main', 'SELECT nudge.unschedule_jobs()'), $count, 'unschedule_jobs() tells how many');
is($node->safe_psql('main', 'SELECT count(*) FROM cron.job'), 0, 'none is left');
is($node->safe_psql('main', 'SELECT nudge.unschedule_jobs()'), 0, 'nothing to remove any more');
$node->safe_psql('main', <<'SQL');
CREATE ROLE runner LOGIN;
SELECT nudge.grant_access('runner', 'executor');
GRANT USAGE ON SCHEMA cron TO runner;
SQL
is($node->safe_psql('main', 'SET SESSION AUTHORIZATION runner; SELECT nudge.schedule_jobs()'), $count,
	'a role with access executor schedules the jobs');
is($node->safe_psql('main', $jobs), sprintf($own, ('runner') x $count), 'they run as that role');
($code, $out, $err) = $node->psql('main', '\set VERBOSITY verbose
SELECT nudge.schedule_jobs()');
like($err, qr/55000: role runner has scheduled the jobs already/, 'and nobody schedules them a second time');

# The other database: exactly what the hint says, run as it stands
($code, $out, $err) = other("\\set VERBOSITY verbose\nSELECT nudge.schedule_jobs()");
like($err, qr/0A000: pg_cron is not installed in database "the ""other's"" shop"/, 'in another database it is an error');
my ($there) = $err =~ /In database main run:\n(.*?)\nand in this one/s;
$node->safe_psql('main', $there);
my ($here) = $err =~ /and in this one, once:\n(.*?)\n/s;
other($here);
is($node->safe_psql('main', q{SELECT jobname, command, database FROM cron.job WHERE database <> 'main' ORDER BY jobname}),
	other(q{SELECT job_name || ' in ' || current_database(), command, current_database() FROM nudge.jobs ORDER BY 1}),
	'what the hint says to run schedules the jobs of the other database');

# Both executors come by themselves: nobody calls nudge.run here
my $now = "INSERT INTO nudge.actions (user_id, action_type) VALUES ('u', 'login')";
$node->safe_psql('main', $now);
other($now);
ok($node->poll_query_until('main', "SELECT count(*) = 1 FROM nudge.outbox WHERE status = 'ready' AND user_id = 'u'"),
	'pg_cron ran the executor, which made the message');
my $tries = 0;
sleep 1 until other("SELECT count(*) FROM nudge.outbox WHERE status = 'ready' AND user_id = 'u'") eq '1' or ++$tries > 180;
is(other('SELECT count(*) FROM nudge.outbox'), 1, 'and so it did in the other database');
is($node->safe_psql('main', "SELECT count(*) > 0 FROM cron.job_run_details WHERE command = 'CALL nudge.run()' AND status IN ('running', 'succeeded')"),
	't', "in pg_cron's own log");
is($node->safe_psql('main', "SELECT count(*) FROM cron.job_run_details WHERE status = 'failed'"), 0, 'no run failed');
# It stays for 50 s and sees what comes meanwhile
$node->safe_psql('main', $now);
ok($node->poll_query_until('main', "SELECT count(*) = 2 FROM nudge.outbox WHERE user_id = 'u'"), 'a run goes on looking');
like($node->safe_psql('main', 'SELECT status FROM nudge.health'), qr/^ok$/, 'the health view is content');

# The log of our own jobs is pruned; that of others is theirs
$node->safe_psql('main', <<'SQL');
INSERT INTO cron.job_run_details (jobid, runid, database, command, status, start_time, end_time)
SELECT j.jobid, 100000 + row_number() OVER (), j.database, j.command, 'succeeded', now() - d.age, now() - d.age
FROM (SELECT * FROM cron.job WHERE jobname = 'nudge executor' UNION ALL SELECT * FROM cron.job WHERE database <> 'main') j,
     unnest('{8 days,6 days}'::interval[]) AS d (age);
SQL
is($node->safe_psql('main', q{SELECT nudge.maintain() -> 'rows_deleted'}), '{"cron.job_run_details": 1}', 'maintain() prunes the log of its jobs');
is($node->safe_psql('main', q{SELECT count(*) FROM cron.job_run_details WHERE end_time < now() - interval '1 day'}), 1 + 2 * $count,
	'and leaves younger rows and other databases alone');

# By what the hint says, the other database's jobs go away again
($code, $out, $err) = other('SELECT nudge.unschedule_jobs()');
($there) = $err =~ /In database main run:\n(.*?)\nCONTEXT/s;
$node->safe_psql('main', $there);
is($node->safe_psql('main', "SELECT count(*) FROM cron.job WHERE database <> 'main'"), 0,
	'what unschedule_jobs() says to run removes the jobs of the other database');

$node->stop('fast');
done_testing();
