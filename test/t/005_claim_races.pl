# Mailers, an engine and an operator at random, all at once: whatever the order,
# the guide (nudge.message_blocks) leads to every live message in time, and each
# message ends once.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{PG_NUDGE_RACE_SECONDS} || 8;
my $node = PostgreSQL::Test::Cluster->new('races');
$node->init;
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pg_nudge;
SELECT nudge.maintain();
-- Sixteen messages a block, of transactions that overlap, so that claims keep coming
-- to the end of a block while more of it is on the way
ALTER SEQUENCE nudge.messages_message_id_seq INCREMENT BY 64;

-- as the executor does it: messages, queue and guide in one transaction
CREATE PROCEDURE put(n integer) LANGUAGE sql AS $$
    INSERT INTO nudge.users (user_id) SELECT 'u' || g FROM generate_series(1, n) g ON CONFLICT DO NOTHING;
    WITH m AS (
        INSERT INTO nudge.messages (user_id, channel, recipient, priority)
        SELECT 'u' || g, 'email', 'x@example.org', (enum_range(NULL::nudge.priority))[1 + floor(random() * 2)]
        FROM generate_series(1, n) g RETURNING *),
    q AS (
        INSERT INTO nudge.message_queue (message_id, user_id, created_at, priority, channel, available_at)
        SELECT message_id, user_id, created_at, priority, channel, now() + greatest(0, random() - 0.8) * interval '1 s' FROM m)
    INSERT INTO nudge.message_blocks (priority, block) SELECT DISTINCT priority, message_id / 1024 FROM m
$$;

-- Short leases, so that many run out; a transaction in ten or so is rolled back
CREATE PROCEDURE work(seconds float8) LANGUAGE plpgsql AS $$
DECLARE
    stop_at timestamptz := clock_timestamp() + seconds * interval '1 s';
    dice float8;
    ids bigint[];
    tokens uuid[];
BEGIN
    WHILE clock_timestamp() < stop_at LOOP
        dice := random();
        BEGIN
            IF dice < 0.4 THEN
                CALL put(1 + floor(random() * 3)::integer);
                PERFORM pg_sleep(random() * 0.02);
            ELSIF dice < 0.43 THEN
                UPDATE nudge.outbox SET available_at = now()
                WHERE message_id = (SELECT message_id FROM nudge.message_queue
                                    WHERE available_at > now() + interval '1 min' ORDER BY random() LIMIT 1);
            ELSE
                SELECT array_agg(message_id), array_agg(claim_token) INTO ids, tokens
                FROM nudge.claim('races', 1 + floor(random() * 60)::integer, interval '1 ms' + random() * interval '0.3 s');
                IF ids IS NULL THEN
                    NULL;
                ELSIF random() < 0.8 THEN
                    PERFORM nudge.ack(ids, tokens);
                ELSIF random() < 0.5 THEN
                    PERFORM nudge.nack(ids[1], tokens[1], 'no', random() < 0.2);
                END IF;
            END IF;
            IF random() < 0.1 THEN
                RAISE EXCEPTION 'roll back';
            END IF;
        EXCEPTION WHEN raise_exception OR serialization_failure OR object_not_in_prerequisite_state THEN
            -- (rolled back; under REPEATABLE READ; a lease that was over)
            NULL;
        END;
        COMMIT;
    END LOOP;
END
$$;
SQL

my @sessions;
foreach my $isolation ('read committed', 'read committed', 'read committed', 'read committed', 'read committed', 'repeatable read')
{
	push @sessions, IPC::Run::start(
		[
			'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'),
			'-c', "SET default_transaction_isolation = '$isolation'",
			'-c', "CALL work($seconds)"
		],
		'<', \undef);
}
ok($_->finish, 'a session saw no error that it should not see') foreach @sessions;

is( $node->safe_psql('postgres', <<'SQL'), 0, 'the guide leads to every live message in time');
SELECT count(*) FROM nudge.message_queue q
WHERE NOT EXISTS (
    SELECT FROM nudge.message_blocks b
    WHERE b.priority = q.priority AND b.block = q.message_id / 1024
        AND b.next_at <= CASE q.status WHEN 'ready' THEN q.available_at ELSE q.lease_until END)
SQL
is($node->safe_psql('postgres', 'SELECT count(*) FROM (SELECT FROM nudge.outbox GROUP BY message_id HAVING count(*) > 1) d'),
	0, 'no message is in two states');
is($node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM nudge.messages) - (SELECT count(*) FROM nudge.outbox)'),
	0, 'and none is in no state');
is( $node->safe_psql('postgres', <<'SQL'), 0, 'each that ended has one event that says so');
SELECT count(*) FROM nudge.message_results r
FULL JOIN (SELECT message_id, min(event_type) AS event_type, count(*) AS n FROM nudge.events GROUP BY 1) e USING (message_id)
WHERE r.status::text IS DISTINCT FROM e.event_type OR e.n <> 1
SQL
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM nudge.outbox WHERE status = 'sent'"), '>', 100, 'much was sent');

$node->stop;
done_testing();
