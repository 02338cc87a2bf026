--
-- Both sides of the benchmarks of claims.  pg_nudge: nudge.claim, then nudge.ack.
-- Bare: one table with the same columns and a lease, UPDATE ... FOR UPDATE SKIP
-- LOCKED, then DELETE.  Every claim and every ack is a transaction of its own.
--
CREATE SCHEMA bench;

CREATE PROCEDURE bench.fill_outbox(n integer) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO nudge.users (user_id, email)
    SELECT 'user-' || g, 'user-' || g || '@example.org' FROM generate_series(1, n) g
    ON CONFLICT DO NOTHING;
    WITH m AS (
        INSERT INTO nudge.messages (user_id, pending_id, rule_id, channel, recipient, template_id,
                                    subject, body_text, body_html, sender_name, sender_address,
                                    reply_to, priority, fired_at)
        SELECT 'user-' || g, g, 1 + g % 10, 'email', 'user-' || g || '@example.org', 'welcome',
               'Something for you, number ' || g, repeat('text ' || g % 10, 50), repeat('<p>html</p>' || g % 10, 60),
               'The shop', 'shop@example.org', 'help@example.org',
               (enum_range(NULL::nudge.priority))[1 + g * 5 / (n + 1)], now()
        FROM generate_series(1, n) g
        RETURNING message_id, user_id, created_at, priority, channel),
    q AS (
        INSERT INTO nudge.message_queue (message_id, user_id, created_at, priority, channel, available_at)
        SELECT message_id, user_id, created_at, priority, channel, created_at FROM m)
    INSERT INTO nudge.message_blocks (priority, block)
    SELECT DISTINCT priority, message_id / 1024 FROM m;
END
$$;

CREATE PROCEDURE bench.empty_outbox() LANGUAGE sql AS $$
    TRUNCATE nudge.messages, nudge.message_queue, nudge.message_blocks, nudge.message_results, nudge.events;
$$;

CREATE PROCEDURE bench.fill_bare() LANGUAGE plpgsql AS $$
BEGIN
    DROP TABLE IF EXISTS bench.bare;
    CREATE TABLE bench.bare AS SELECT * FROM nudge.outbox;
    ALTER TABLE bench.bare ADD PRIMARY KEY (message_id);
    CREATE INDEX ON bench.bare (priority, message_id);
END
$$;

CREATE PROCEDURE bench.drain_outbox(batch integer)
LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[];
    tokens uuid[];
    bytes bigint;
BEGIN
    LOOP
        SELECT array_agg(message_id), array_agg(claim_token), sum(length(body_text) + length(body_html))
        INTO ids, tokens, bytes
        FROM nudge.claim('bench', batch);
        EXIT WHEN ids IS NULL;
        COMMIT;
        PERFORM nudge.ack(ids, tokens);
        COMMIT;
    END LOOP;
END
$$;

CREATE PROCEDURE bench.drain_bare(batch integer)
LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[];
    tokens uuid[];
    bytes bigint;
BEGIN
    LOOP
        WITH claimed AS (
            UPDATE bench.bare
            SET status = 'claimed', attempts = attempts + 1, claimed_by = 'bench',
                claim_token = gen_random_uuid(), lease_until = clock_timestamp() + interval '15 min'
            WHERE message_id = ANY (ARRAY(
                SELECT message_id FROM bench.bare
                WHERE available_at <= clock_timestamp()
                    AND (status = 'ready' OR (status = 'claimed' AND lease_until <= clock_timestamp()))
                ORDER BY priority, message_id LIMIT batch
                FOR UPDATE SKIP LOCKED))
            RETURNING *)
        SELECT array_agg(message_id), array_agg(claim_token), sum(length(body_text) + length(body_html))
        INTO ids, tokens, bytes
        FROM claimed;
        EXIT WHEN ids IS NULL;
        COMMIT;
        DELETE FROM bench.bare WHERE message_id = ANY (ids) AND claim_token = ANY (tokens);
        COMMIT;
    END LOOP;
END
$$;
