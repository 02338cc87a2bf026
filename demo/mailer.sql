-- One turn of a mailer: claims a batch, sends it, acknowledges it.  Prints how many.
-- The claim is committed before anything is sent.

CREATE TEMP TABLE batch AS SELECT * FROM nudge.claim('demo mailer', 100);

-- Here a mailer hands each message to its provider, whose ids it gets back.

SELECT nudge.ack(array_agg(message_id), array_agg(claim_token), array_agg('provider-' || message_id))
FROM batch HAVING count(*) > 0 \g /dev/null

-- Later the provider reports what became of them: here all are delivered, one in three is
-- opened, and one in nine clicked.
SELECT nudge.record_event(message_id, 'delivered') FROM batch \g /dev/null
SELECT nudge.record_event(message_id, 'opened', now() + interval '10 min') FROM batch WHERE message_id % 3 = 0 \g /dev/null
SELECT nudge.record_event(message_id, 'clicked', now() + interval '12 min') FROM batch WHERE message_id % 9 = 0 \g /dev/null

SELECT count(*) FROM batch;
