--
-- Version 0.4.0: what providers report, in their own words
--
-- One function a provider turns a payload, as its documentation has it, into rows of
-- nudge.provider_event.  Whether it comes from the provider at all (signatures) is for
-- the program to check that receives it over HTTP, before the database sees it.
--

CREATE TYPE nudge.provider_event AS (
    message_id           bigint,
    provider_message_ids text[],
    recipient            text,
    event_type           text,
    occurred_at          timestamptz,
    metadata             jsonb
);
COMMENT ON TYPE nudge.provider_event IS
    'What a provider reports of a message: message_id as the mailer told it to the provider, else provider_message_ids, of which one is what the mailer told ack; event_type null: nothing that matters here';

CREATE FUNCTION nudge.refuse_payload(provider text, problem text, hint text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'cannot read payload of %: %', provider, problem USING ERRCODE = '22023',
        DETAIL = 'Nothing was recorded.',
        HINT = coalesce(hint, 'Pass the body of the request as the provider sent it.');
END
$$;
COMMENT ON FUNCTION nudge.refuse_payload(text, text, text) IS 'Internal: an error 22023 that says what is wrong with a payload';

-- ISO 8601, or seconds since 1970.
CREATE FUNCTION nudge.payload_time(provider text, value jsonb) RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    at timestamptz;
BEGIN
    IF jsonb_typeof(value) = 'number' AND value::numeric BETWEEN 0 AND 100000000000 THEN
        at := to_timestamp(round(value::numeric, 6)::float8);
    ELSIF jsonb_typeof(value) = 'string' THEN
        at := nudge.json_time(value, 'UTC');
    END IF;
    IF at IS NULL OR at NOT BETWEEN '0001-01-01 00:00+00' AND '9999-12-31 00:00+00' THEN
        PERFORM nudge.refuse_payload(provider, coalesce(left(value::text, 200) || ' is no time', 'an event has no time'));
    END IF;
    RETURN at;
END
$$;
COMMENT ON FUNCTION nudge.payload_time(text, jsonb) IS 'Internal: a time of a payload, or an error 22023';

CREATE FUNCTION nudge.payload_message_id(value text) RETURNS bigint
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN value ~ '^[0-9]{1,18}$' THEN value::bigint END
$$;
COMMENT ON FUNCTION nudge.payload_message_id(text) IS 'Internal: our message_id as a provider gives it back; null where it cannot be one';

CREATE FUNCTION nudge.payload_object(provider text, parent jsonb, key text) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF jsonb_typeof(parent -> key) IS DISTINCT FROM 'object' THEN
        PERFORM nudge.refuse_payload(provider, format('there is no object "%s"', key));
    END IF;
    RETURN parent -> key;
END
$$;
COMMENT ON FUNCTION nudge.payload_object(text, jsonb, text) IS 'Internal: an object within an object of a payload, or an error 22023';

--
-- Amazon SES, through SNS
--
-- https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
-- https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
-- https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
--

-- Returns null for what SNS and SES send when a topic is set up.
CREATE FUNCTION nudge.sns_message(payload jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    notice jsonb := payload;
BEGIN
    IF jsonb_typeof(payload) <> 'object' THEN
        PERFORM nudge.refuse_payload('ses', 'it is no object');
    ELSIF payload ->> 'Type' IN ('SubscriptionConfirmation', 'UnsubscribeConfirmation') THEN
        PERFORM nudge.refuse_payload('ses', format('it is a %s of SNS', payload ->> 'Type'),
            'Have the receiving program open its SubscribeURL once; from then on SNS sends notifications.');
    ELSIF payload ->> 'Type' = 'Notification' THEN
        IF starts_with(payload ->> 'Message', 'Successfully validated SNS topic') THEN
            RETURN NULL;
        END IF;
        BEGIN
            notice := (payload ->> 'Message')::jsonb;
        EXCEPTION WHEN invalid_text_representation OR untranslatable_character OR statement_too_complex OR program_limit_exceeded THEN
            PERFORM nudge.refuse_payload('ses', 'Message is no JSON document');
        END;
    ELSIF payload ? 'Type' THEN
        PERFORM nudge.refuse_payload('ses', format('unknown Type %s', left(payload ->> 'Type', 200)));
    END IF;
    IF notice ->> 'notificationType' = 'AmazonSnsSubscriptionSucceeded' THEN
        RETURN NULL;
    END IF;
    RETURN coalesce(notice, 'null');
END
$$;
COMMENT ON FUNCTION nudge.sns_message(jsonb) IS 'Internal: the event of SES within a notification of SNS, or by itself; null for those that confirm a set-up';

CREATE FUNCTION nudge.webhook_ses(payload jsonb) RETURNS SETOF nudge.provider_event
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    notice jsonb := nudge.sns_message(payload);
    kind   text := coalesce(notice ->> 'eventType', notice ->> 'notificationType');
    mail   jsonb;
    part   jsonb;
    known  record;
BEGIN
    IF notice IS NULL THEN
        RETURN;
    END IF;
    SELECT k.* INTO known
    FROM (VALUES ('Send', 'send', 'sent'),
                 ('Delivery', 'delivery', 'delivered'),
                 ('Open', 'open', 'opened'),
                 ('Click', 'click', 'clicked'),
                 ('Bounce', 'bounce', 'bounced'),
                 ('Complaint', 'complaint', 'complained'),
                 ('Subscription', 'subscription', 'unsubscribed'),
                 ('Reject', 'reject', 'failed'),
                 ('Rendering Failure', 'failure', 'failed'),
                 ('DeliveryDelay', 'deliveryDelay', NULL)) AS k (name, part, event_type)
    WHERE k.name = kind;
    IF NOT FOUND THEN
        PERFORM nudge.refuse_payload('ses', CASE WHEN kind IS NULL THEN 'there is no eventType or notificationType'
                                                 ELSE format('unknown eventType "%s"', left(kind, 200)) END);
    END IF;
    mail := nudge.payload_object('ses', notice, 'mail');
    part := nudge.payload_object('ses', notice, known.part);

    RETURN QUERY
    SELECT nudge.payload_message_id(coalesce(
               mail #>> '{tags,message_id,0}',
               jsonb_path_query_first(mail, '$.headers[*] ? (@.name like_regex "^x-nudge-message-id$" flag "i").value') #>> '{}')),
           ARRAY[mail ->> 'messageId'],
           coalesce(r.recipient ->> 'emailAddress', r.recipient #>> '{}'),
           CASE WHEN kind = 'Complaint' AND part ->> 'complaintFeedbackType' = 'not-spam' THEN NULL
                WHEN kind = 'Subscription' AND NOT jsonb_path_exists(part,
                    '$.newTopicPreferences ? (@.unsubscribeAll == true || @.topicSubscriptionStatus[*].subscriptionStatus == "OptOut")') THEN NULL
                ELSE known.event_type END,
           nudge.payload_time('ses', coalesce(part -> 'timestamp', mail -> 'timestamp')),
           jsonb_strip_nulls(jsonb_build_object(
               'provider', 'ses',
               'provider_event_id', coalesce(part ->> 'feedbackId',
                                             CASE WHEN payload ->> 'Type' = 'Notification' THEN payload ->> 'MessageId' END),
               'bounce_type', CASE WHEN kind <> 'Bounce' THEN NULL
                                   WHEN part ->> 'bounceType' = 'Permanent' THEN 'hard' ELSE 'soft' END,
               'bounce_subtype', part -> 'bounceSubType',
               'recipient', coalesce(r.recipient ->> 'emailAddress', r.recipient #>> '{}'),
               'status', r.recipient -> 'status',
               'reason', coalesce(r.recipient -> 'diagnosticCode', part -> 'reason', part -> 'errorMessage'),
               'feedback_type', part -> 'complaintFeedbackType',
               'user_agent', CASE WHEN kind IN ('Open', 'Click') THEN part -> 'userAgent' END,
               'ip', part -> 'ipAddress',
               'url', part -> 'link'))
    FROM (SELECT coalesce(part -> 'bouncedRecipients', part -> 'complainedRecipients', part -> 'recipients') AS recipients) AS l
    -- (opens and clicks do not say whose they are)
    CROSS JOIN LATERAL jsonb_array_elements(
        CASE WHEN jsonb_typeof(l.recipients) = 'array' AND l.recipients <> '[]' THEN l.recipients ELSE '[null]' END) AS r (recipient);
END
$$;
COMMENT ON FUNCTION nudge.webhook_ses(jsonb) IS
    'Internal: what Amazon SES reports, as SNS delivers it or raw; message_id comes from the tag message_id or the header X-Nudge-Message-Id';

--
-- SendGrid
--
-- https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
--

CREATE FUNCTION nudge.webhook_sendgrid(payload jsonb) RETURNS SETOF nudge.provider_event
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kinds CONSTANT jsonb := '{"delivered": "delivered", "open": "opened", "click": "clicked", "bounce": "bounced", "dropped": "failed",
        "spamreport": "complained", "unsubscribe": "unsubscribed", "group_unsubscribe": "unsubscribed",
        "processed": null, "deferred": null, "group_resubscribe": null, "account_status_change": null}';
    bad   record;
BEGIN
    IF jsonb_typeof(payload) <> 'array' THEN
        PERFORM nudge.refuse_payload('sendgrid', 'it is no array of events');
    END IF;
    SELECT e.event, e.place INTO bad
    FROM jsonb_array_elements(payload) WITH ORDINALITY AS e (event, place)
    WHERE jsonb_typeof(e.event) <> 'object' OR jsonb_typeof(e.event -> 'event') IS DISTINCT FROM 'string' OR NOT kinds ? (e.event ->> 'event');
    IF FOUND THEN
        PERFORM nudge.refuse_payload('sendgrid', CASE WHEN jsonb_typeof(bad.event -> 'event') = 'string'
            THEN format('element %s has an unknown event "%s"', bad.place, left(bad.event ->> 'event', 200))
            ELSE format('element %s has no event', bad.place) END);
    END IF;

    RETURN QUERY
    SELECT nudge.payload_message_id(e ->> 'message_id'),
           -- what the API answers with as X-Message-Id ends at a dot
           ARRAY[e ->> 'sg_message_id', split_part(e ->> 'sg_message_id', '.', 1),
                 regexp_replace(e ->> 'sg_message_id', '\.(filter|recv).*$', ''), e ->> 'smtp-id'],
           e ->> 'email',
           kinds ->> (e ->> 'event'),
           nudge.payload_time('sendgrid', e -> 'timestamp'),
           jsonb_strip_nulls(jsonb_build_object(
               'provider', 'sendgrid',
               'provider_event_id', e -> 'sg_event_id',
               'bounce_type', CASE WHEN e ->> 'event' = 'bounce'
                                   THEN CASE WHEN e ->> 'type' IN ('blocked', 'expired') THEN 'soft' ELSE 'hard' END END,
               'recipient', e -> 'email',
               'status', e -> 'status',
               'reason', e -> 'reason',
               'user_agent', e -> 'useragent',
               'machine_open', e -> 'sg_machine_open',
               'ip', e -> 'ip',
               'url', e -> 'url',
               'group_id', e -> 'asm_group_id'))
    FROM jsonb_array_elements(payload) AS e
    WHERE e ->> 'event' <> 'account_status_change';
END
$$;
COMMENT ON FUNCTION nudge.webhook_sendgrid(jsonb) IS
    'Internal: what SendGrid reports; message_id comes from the custom argument message_id';

--
-- Mailgun
--
-- https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads
--

-- What Mailgun did not even try, because it suppresses the address itself, has failed;
-- what it gave up, or a provider refused for the sender's sake, says nothing for good.
CREATE FUNCTION nudge.webhook_mailgun(payload jsonb) RETURNS SETOF nudge.provider_event
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kinds CONSTANT jsonb := '{"accepted": "sent", "delivered": "delivered", "opened": "opened", "clicked": "clicked", "failed": "bounced",
        "rejected": "failed", "complained": "complained", "unsubscribed": "unsubscribed",
        "stored": null, "list_member_uploaded": null, "list_member_upload_error": null, "list_uploaded": null}';
    e     jsonb := nudge.payload_object('mailgun', payload, 'event-data');
    kind  text := e ->> 'event';
    tried boolean := coalesce(e ->> 'reason' NOT LIKE 'suppress-%', true);
BEGIN
    IF kind IS NULL OR NOT kinds ? kind THEN
        PERFORM nudge.refuse_payload('mailgun', CASE WHEN kind IS NULL THEN 'there is no event'
                                                     ELSE format('unknown event "%s"', left(kind, 200)) END);
    END IF;
    IF kind = 'failed' AND coalesce(e ->> 'severity', '') NOT IN ('permanent', 'temporary') THEN
        PERFORM nudge.refuse_payload('mailgun', 'severity of a failed event is neither permanent nor temporary');
    END IF;

    RETURN QUERY
    SELECT nudge.payload_message_id(e #>> '{user-variables,message_id}'),
           ARRAY[e #>> '{message,headers,message-id}'],
           e ->> 'recipient',
           CASE WHEN kind = 'failed' AND NOT tried THEN 'failed' ELSE kinds ->> kind END,
           nudge.payload_time('mailgun', e -> 'timestamp'),
           jsonb_strip_nulls(jsonb_build_object(
               'provider', 'mailgun',
               'provider_event_id', e -> 'id',
               'bounce_type', CASE WHEN kind = 'failed' AND tried
                                   THEN CASE WHEN e ->> 'severity' = 'temporary' OR e ->> 'reason' IN ('old', 'espblock')
                                             THEN 'soft' ELSE 'hard' END END,
               'recipient', e -> 'recipient',
               'status', e #> '{delivery-status,code}',
               'reason', coalesce(e #> '{delivery-status,message}', e -> 'reason', e #> '{reject,reason}'),
               'user_agent', e #> '{client-info,user-agent}',
               'bot', e #> '{client-info,bot}',
               'ip', e -> 'ip',
               'url', CASE WHEN kind = 'clicked' THEN e -> 'url' END));
END
$$;
COMMENT ON FUNCTION nudge.webhook_mailgun(jsonb) IS
    'Internal: what Mailgun reports; message_id comes from the user variable message_id';

--
-- Postmark
--
-- https://postmarkapp.com/developer/webhooks/webhooks-overview
-- https://postmarkapp.com/developer/api/bounce-api#bounce-types
--

CREATE FUNCTION nudge.webhook_postmark(payload jsonb) RETURNS SETOF nudge.provider_event
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kind    text := payload ->> 'RecordType';
    bounces CONSTANT jsonb := '{"HardBounce": "hard", "BadEmailAddress": "hard",
        "Transient": "soft", "SoftBounce": "soft", "DnsError": "soft", "Blocked": "soft", "SpamNotification": "soft", "Unknown": "soft",
        "VirusNotification": "soft", "DMARCPolicy": "soft", "Unconfirmed": "soft"}';
    others  CONSTANT jsonb := '{"SpamComplaint": "complained", "Unsubscribe": "unsubscribed",
        "ManuallyDeactivated": "failed", "SMTPApiError": "failed", "InboundError": "failed", "TemplateRenderingFailed": "failed",
        "Subscribe": null, "AutoResponder": null, "AddressChange": null, "OpenRelayTest": null, "ChallengeVerification": null}';
    at_keys CONSTANT jsonb := '{"Delivery": "DeliveredAt", "Open": "ReceivedAt", "Click": "ReceivedAt", "Bounce": "BouncedAt",
        "SpamComplaint": "BouncedAt", "SubscriptionChange": "ChangedAt"}';
BEGIN
    IF jsonb_typeof(payload) <> 'object' OR kind IS NULL OR NOT at_keys ? kind THEN
        PERFORM nudge.refuse_payload('postmark', CASE WHEN kind IS NULL THEN 'there is no RecordType'
                                                      ELSE format('unknown RecordType "%s"', left(kind, 200)) END);
    END IF;
    IF kind = 'Bounce' AND NOT coalesce((bounces || others) ? (payload ->> 'Type'), false) THEN
        PERFORM nudge.refuse_payload('postmark', format('unknown Type of bounce "%s"', coalesce(left(payload ->> 'Type', 200), '')));
    END IF;

    RETURN QUERY
    SELECT nudge.payload_message_id(payload #>> '{Metadata,message_id}'),
           ARRAY[payload ->> 'MessageID'],
           coalesce(payload ->> 'Recipient', payload ->> 'Email'),
           CASE kind
               WHEN 'Delivery' THEN 'delivered'
               WHEN 'Open' THEN 'opened'
               WHEN 'Click' THEN 'clicked'
               WHEN 'SpamComplaint' THEN 'complained'
               WHEN 'Bounce' THEN CASE WHEN bounces ? (payload ->> 'Type') THEN 'bounced' ELSE others ->> (payload ->> 'Type') END
               -- what the sender asked Postmark for is nothing that a user did
               WHEN 'SubscriptionChange' THEN CASE
                   WHEN payload ->> 'SuppressSending' IS DISTINCT FROM 'true' THEN NULL
                   WHEN payload ->> 'SuppressionReason' = 'HardBounce' THEN 'bounced'
                   WHEN payload ->> 'SuppressionReason' = 'SpamComplaint' THEN 'complained'
                   WHEN payload ->> 'Origin' = 'Recipient' THEN 'unsubscribed' END
           END,
           nudge.payload_time('postmark', payload -> (at_keys ->> kind)),
           jsonb_strip_nulls(jsonb_build_object(
               'provider', 'postmark',
               'provider_event_id', payload -> 'ID',
               'bounce_type', CASE kind WHEN 'Bounce' THEN bounces -> (payload ->> 'Type')
                                        WHEN 'SubscriptionChange' THEN to_jsonb(CASE WHEN payload ->> 'SuppressionReason' = 'HardBounce' THEN 'hard' END) END,
               'bounce_subtype', payload -> 'Type',
               'recipient', coalesce(payload -> 'Recipient', payload -> 'Email'),
               'reason', coalesce(payload -> 'Details', payload -> 'SuppressionReason'),
               'user_agent', payload -> 'UserAgent',
               'ip', payload #> '{Geo,IP}',
               'url', payload -> 'OriginalLink'));
END
$$;
COMMENT ON FUNCTION nudge.webhook_postmark(jsonb) IS
    'Internal: what Postmark reports; message_id comes from the metadata message_id';

--
-- Into events
--

-- A provider may have sent one mail to several recipients, each a message of ours: then
-- it is the recipient's, or nobody's.
CREATE FUNCTION nudge.reported_message(message_id bigint, provider_message_ids text[], recipient text,
    OUT found_id bigint, OUT user_id text, OUT is_recipient boolean)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
    WITH candidates AS MATERIALIZED (
        SELECT m.message_id, m.user_id, c.place,
               coalesce(nudge.normal_address(m.recipient) = nudge.normal_address(reported_message.recipient), false) AS is_recipient
        FROM (SELECT reported_message.message_id AS message_id, 1 AS place
              UNION
              SELECT r.message_id, 2
              FROM unnest(provider_message_ids) AS i (id)
              CROSS JOIN LATERAL (VALUES (i.id), (btrim(i.id, '<>')), ('<' || btrim(i.id, '<>') || '>')) AS v (id)
              JOIN nudge.message_results r ON r.provider_message_id = v.id
              WHERE v.id <> '') AS c
        JOIN nudge.messages m ON m.message_id = c.message_id)
    SELECT c.message_id, c.user_id, c.is_recipient
    FROM candidates c
    WHERE c.place = 1 OR c.is_recipient OR (SELECT count(*) FROM candidates) = 1
    ORDER BY c.place, c.is_recipient DESC, c.message_id
    LIMIT 1
$$;
COMMENT ON FUNCTION nudge.reported_message(bigint, text[], text) IS
    'Internal: the message that a provider reports of, by what the mailer told it, or what it told the mailer; nulls where it is not known';

-- ack has told already of most.
CREATE FUNCTION nudge.record_sent(message_id bigint, occurred_at timestamptz, metadata jsonb) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO nudge.events (user_id, event_type, rule_id, pending_id, message_id, action_id, flag, occurred_at, event_key, metadata)
    SELECT m.user_id, 'sent', m.rule_id, m.pending_id, m.message_id, m.action_id,
           nudge.time_flag(record_sent.occurred_at, now(), m.created_at), record_sent.occurred_at, 'provider', record_sent.metadata
    FROM nudge.messages m
    WHERE m.message_id = record_sent.message_id
        AND NOT EXISTS (SELECT FROM nudge.events e
                        WHERE e.user_id = m.user_id AND e.recorded_at >= m.created_at
                            AND e.message_id = m.message_id AND e.event_type = 'sent')
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION nudge.record_sent(bigint, timestamptz, jsonb) IS
    'Internal: records that a message was sent, unless that is known; whether it is new';

-- All or nothing.  In the order of users, so that reports about the same users wait for
-- each other in the same order.
CREATE FUNCTION nudge.ingest_webhook(provider text, payload jsonb) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name    CONSTANT text := regexp_replace(lower(provider), '^(amazon|aws)[ _-]', '');
    reports nudge.provider_event[];
    report  record;
    is_new  boolean;
    new     integer := 0;
BEGIN
    IF payload IS NULL THEN
        RAISE EXCEPTION 'payload must not be null' USING ERRCODE = '22023',
            HINT = 'Pass the body of the request as the provider sent it.';
    END IF;
    CASE name
        WHEN 'ses' THEN reports := ARRAY(SELECT w FROM nudge.webhook_ses(payload) w);
        WHEN 'sendgrid' THEN reports := ARRAY(SELECT w FROM nudge.webhook_sendgrid(payload) w);
        WHEN 'mailgun' THEN reports := ARRAY(SELECT w FROM nudge.webhook_mailgun(payload) w);
        WHEN 'postmark' THEN reports := ARRAY(SELECT w FROM nudge.webhook_postmark(payload) w);
        ELSE
            RAISE EXCEPTION 'unknown provider %', coalesce(quote_literal(left(provider, 200)), 'NULL') USING ERRCODE = '22023',
                DETAIL = 'Nothing was recorded.',
                HINT = 'Providers are ses, sendgrid, mailgun, postmark; for any other call nudge.record_event.';
    END CASE;
    PERFORM nudge.refuse_read_only('record events');

    FOR report IN
        SELECT r.*, m.found_id, m.is_recipient
        FROM unnest(reports) WITH ORDINALITY
            AS r (message_id, provider_message_ids, recipient, event_type, occurred_at, metadata, place)
        LEFT JOIN LATERAL nudge.reported_message(r.message_id, r.provider_message_ids, r.recipient) AS m ON true
        WHERE r.event_type IS NOT NULL
        ORDER BY m.user_id, r.occurred_at, r.place
    LOOP
        IF report.found_id IS NULL THEN
            INSERT INTO nudge.tallies (tally, amount) VALUES ('unknown_message_events', 1);
            CONTINUE;
        END IF;
        -- What is reported of several recipients at once is of others as well
        CONTINUE WHEN name = 'ses' AND cardinality(reports) > 1 AND NOT report.is_recipient;
        is_new := CASE report.event_type
            WHEN 'sent' THEN nudge.record_sent(report.found_id, report.occurred_at, report.metadata)
            ELSE nudge.record_event(report.found_id, report.event_type, report.occurred_at, report.metadata) END;
        new := new + is_new::integer;
    END LOOP;
    RETURN new;
END
$$;
COMMENT ON FUNCTION nudge.ingest_webhook(text, jsonb) IS
    'Records what a provider (ses, sendgrid, mailgun, postmark) reports in the body of a request, whose signature the caller has checked; how many events are new. Events that say nothing of delivery or people are left out, those of unknown messages counted in nudge.tallies';

INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('mailer', 'routine', 'ingest_webhook', 'EXECUTE');
REVOKE ALL ON ROUTINE nudge.refuse_payload(text, text, text), nudge.payload_time(text, jsonb), nudge.payload_message_id(text),
    nudge.payload_object(text, jsonb, text), nudge.sns_message(jsonb),
    nudge.webhook_ses(jsonb), nudge.webhook_sendgrid(jsonb), nudge.webhook_mailgun(jsonb), nudge.webhook_postmark(jsonb),
    nudge.reported_message(bigint, text[], text), nudge.record_sent(bigint, timestamptz, jsonb), nudge.ingest_webhook(text, jsonb)
    FROM PUBLIC;
