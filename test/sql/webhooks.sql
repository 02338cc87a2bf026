-- What providers report, in payloads as their documentation has them
SET client_min_messages = warning;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
-- A message that was sent, and what its provider calls it
CREATE FUNCTION pg_temp.message(who text, provider_id text, address text DEFAULT 'recipient@example.com') RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    id bigint;
BEGIN
    INSERT INTO nudge.messages (user_id, channel, recipient, priority, created_at)
    VALUES ('wh_' || who, 'email', address, 'normal', '2016-01-01') RETURNING message_id INTO id;
    INSERT INTO nudge.message_results (message_id, user_id, created_at, status, attempts, finished_at, provider_message_id)
    VALUES (id, 'wh_' || who, '2016-01-01', 'sent', 1, '2016-01-01', provider_id);
    RETURN id;
END
$$;
-- Takes a payload in and tells what has come of it
CREATE FUNCTION pg_temp.takes(provider text, payload text, OUT new integer, OUT events text, OUT suppressed text) LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM nudge.events WHERE user_id LIKE 'wh\_%';
    DELETE FROM nudge.suppressions WHERE user_id LIKE 'wh\_%';
    new := nudge.ingest_webhook(provider, payload::jsonb);
    events := (SELECT string_agg(concat_ws(' ', substr(e.user_id, 4), e.event_type, e.reason, e.flag, to_char(e.occurred_at, 'YYYY-MM-DD HH24:MI:SS.MS')), E'\n' ORDER BY e.user_id, e.event_id)
               FROM nudge.events e WHERE e.user_id LIKE 'wh\_%');
    suppressed := (SELECT string_agg(concat_ws(' ', s.address, s.reason, s.source), E'\n' ORDER BY s.suppression_id) FROM nudge.suppressions s WHERE s.user_id LIKE 'wh\_%');
END
$$;
CREATE FUNCTION pg_temp.unknown() RETURNS bigint LANGUAGE sql AS $$ SELECT coalesce(sum(amount), 0)::bigint FROM nudge.tallies WHERE tally = 'unknown_message_events' $$;

--
-- Amazon SES
--
SELECT pg_temp.message('ses', 'EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000') AS ses \gset
CREATE FUNCTION pg_temp.ses(kind text, part jsonb, mail jsonb DEFAULT '{}', kind_key text DEFAULT 'eventType') RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object(kind_key, kind, 'mail', '{
        "timestamp": "2016-10-14T05:02:16.645Z", "source": "sender@example.com", "sendingAccountId": "123456789012",
        "messageId": "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000", "destination": ["recipient@example.com"], "headersTruncated": false,
        "headers": [{"name": "From", "value": "sender@example.com"}, {"name": "To", "value": "recipient@example.com"}, {"name": "MIME-Version", "value": "1.0"}],
        "commonHeaders": {"from": ["sender@example.com"], "to": ["recipient@example.com"], "messageId": "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000"},
        "tags": {"ses:configuration-set": ["ConfigSet"], "ses:source-ip": ["192.0.2.0"], "ses:from-domain": ["example.com"], "ses:caller-identity": ["ses_user"]}}'::jsonb || mail) || part
$$;
CREATE FUNCTION pg_temp.sns(message jsonb, id text DEFAULT '22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324') RETURNS text LANGUAGE sql AS $$
    SELECT jsonb_build_object('Type', 'Notification', 'MessageId', id, 'TopicArn', 'arn:aws:sns:us-east-1:123456789012:ses', 'Subject', 'Amazon SES Email Event Notification',
        'Message', message::text, 'Timestamp', '2016-10-14T05:02:17.000Z', 'SignatureVersion', '1', 'Signature', 'EXAMPLEw6JRN', 'SigningCertURL', 'https://sns.us-east-1.amazonaws.com/x.pem')::text
$$;
\set bounce '{"bounce": {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [{"emailAddress": "Recipient@example.com", "action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}], "timestamp": "2016-10-14T05:02:52.574Z", "feedbackId": "EXAMPLE7c1923f27-ab0c24cb-5d9f-4e77-99b8-85e4cb3a33bb-000000", "reportingMTA": "dsn; ses-example.com"}}'
SELECT * FROM pg_temp.takes('ses', pg_temp.sns(pg_temp.ses('Send', '{"send": {}}')));
SELECT * FROM pg_temp.takes('ses', pg_temp.sns(pg_temp.ses('Delivery', '{"delivery": {"timestamp": "2016-10-19T23:21:04.133Z", "processingTimeMillis": 11893, "recipients": ["recipient@example.com"], "smtpResponse": "250 2.6.0 Message received", "reportingMTA": "mta.example.com"}}')));
SELECT * FROM pg_temp.takes('ses', pg_temp.sns(pg_temp.ses('Open', '{"open": {"ipAddress": "192.0.2.1", "timestamp": "2017-08-09T22:00:19.652Z", "userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 10_3_3 like Mac OS X) AppleWebKit/603.3.8 (KHTML, like Gecko) Mobile/14G60"}}')));
SELECT * FROM pg_temp.takes('ses', pg_temp.sns(pg_temp.ses('Open', '{"open": {"ipAddress": "192.0.2.1", "timestamp": "2017-08-09T22:00:19.652Z", "userAgent": "Mozilla/5.0"}}')));
SELECT * FROM pg_temp.takes('ses', pg_temp.sns(pg_temp.ses('Click', '{"click": {"ipAddress": "192.0.2.1", "link": "http://docs.aws.amazon.com/ses/latest/DeveloperGuide/send-email-smtp.html", "linkTags": {"samplekey0": ["samplevalue0"]}, "timestamp": "2017-08-09T23:51:25.570Z", "userAgent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/60.0.3112.90 Safari/537.36"}}')));
SELECT metadata FROM nudge.events WHERE user_id = 'wh_ses';
SELECT action_data ->> 'url' AS url FROM nudge.actions WHERE user_id = 'wh_ses' AND action_type = 'email_clicked';
SELECT * FROM pg_temp.takes('ses', pg_temp.sns(pg_temp.ses('Bounce', :'bounce')));
SELECT metadata FROM nudge.events WHERE user_id = 'wh_ses';
-- (again: nothing new; under another id of SNS too)
SELECT nudge.ingest_webhook('ses', pg_temp.sns(pg_temp.ses('Bounce', :'bounce'), 'other')::jsonb);
SELECT * FROM pg_temp.takes('ses', pg_temp.sns(pg_temp.ses('Bounce', '{"bounce": {"bounceType": "Transient", "bounceSubType": "MailboxFull", "bouncedRecipients": [{"emailAddress": "recipient@example.com"}], "timestamp": "2016-10-14T05:02:52.574Z", "feedbackId": "a"}}')));
SELECT * FROM pg_temp.takes('ses', pg_temp.sns(pg_temp.ses('Bounce', '{"bounce": {"bounceType": "Undetermined", "bounceSubType": "Undetermined", "bouncedRecipients": [{"emailAddress": "recipient@example.com"}], "timestamp": "2016-10-14T05:02:52.574Z", "feedbackId": "b"}}')));
SELECT * FROM pg_temp.takes('ses', pg_temp.sns(pg_temp.ses('Complaint', '{"complaint": {"complainedRecipients": [{"emailAddress": "recipient@example.com"}], "timestamp": "2017-08-05T00:41:02.669Z", "feedbackId": "01000157c44f053b-61b59c11-9236-11e6-8f96-7be8aexample-000000", "userAgent": "Yahoo!-Mail-Feedback/2.0", "complaintFeedbackType": "abuse", "arrivalDate": "2017-08-05T00:41:02.669Z"}}')));
SELECT * FROM pg_temp.takes('ses', pg_temp.sns(pg_temp.ses('Complaint', '{"complaint": {"complainedRecipients": [{"emailAddress": "recipient@example.com"}], "timestamp": "2017-08-05T00:41:02.669Z", "feedbackId": "c", "complaintFeedbackType": "not-spam"}}')));
SELECT * FROM pg_temp.takes('ses', pg_temp.sns(pg_temp.ses('Reject', '{"reject": {"reason": "Bad content"}}')));
SELECT * FROM pg_temp.takes('ses', pg_temp.sns(pg_temp.ses('Rendering Failure', '{"failure": {"errorMessage": "Attribute ''attributeName'' is not present in the rendering data.", "templateName": "MyTemplate"}}')));
SELECT * FROM pg_temp.takes('ses', pg_temp.sns(pg_temp.ses('DeliveryDelay', '{"deliveryDelay": {"timestamp": "2020-06-16T00:25:40.095Z", "delayType": "TransientCommunicationFailure", "expirationTime": "2020-06-16T00:25:40.914Z", "delayedRecipients": [{"emailAddress": "recipient@example.com", "status": "4.4.1", "diagnosticCode": "smtp; 421 4.4.1 Unable to connect"}]}}')));
SELECT * FROM pg_temp.takes('ses', pg_temp.sns(pg_temp.ses('Subscription', '{"subscription": {"contactList": "ContactListName", "timestamp": "2022-01-12T01:00:17.910Z", "source": "UnsubscribeHeader", "newTopicPreferences": {"unsubscribeAll": true, "topicSubscriptionStatus": [{"topicName": "ExampleTopicName", "subscriptionStatus": "OptOut"}]}, "oldTopicPreferences": {"unsubscribeAll": false}}}')));
SELECT * FROM pg_temp.takes('ses', pg_temp.sns(pg_temp.ses('Subscription', '{"subscription": {"contactList": "ContactListName", "timestamp": "2022-01-12T01:00:17.910Z", "source": "UnsubscribeHeader", "newTopicPreferences": {"unsubscribeAll": false, "topicSubscriptionStatus": [{"topicName": "ExampleTopicName", "subscriptionStatus": "OptIn"}]}}}')));
-- raw, and as notifications that came before events
SELECT * FROM pg_temp.takes('ses', pg_temp.ses('Bounce', :'bounce')::text);
SELECT * FROM pg_temp.takes('Amazon SES', pg_temp.ses('Complaint', '{"complaint": {"complainedRecipients": [{"emailAddress": "recipient@example.com"}], "timestamp": "2017-08-05T00:41:02.669Z", "feedbackId": "d"}}', kind_key => 'notificationType')::text);
-- what SES and SNS send when a topic is set up
SELECT * FROM pg_temp.takes('ses', '{"Type": "Notification", "MessageId": "1", "Message": "Successfully validated SNS topic for Amazon SES event publishing."}');
SELECT * FROM pg_temp.takes('ses', pg_temp.sns('{"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have successfully subscribed your Amazon SNS topic"}'));
-- found by tag, by header, by what SES calls it; a tag goes before
SELECT pg_temp.message('tag', NULL) AS tag \gset
SELECT * FROM pg_temp.takes('ses', pg_temp.ses('Open', '{"open": {"timestamp": "2017-08-09T22:00:19.652Z"}}', jsonb_build_object('tags', jsonb_build_object('message_id', jsonb_build_array(:'tag'))))::text);
SELECT * FROM pg_temp.takes('ses', pg_temp.ses('Open', '{"open": {"timestamp": "2017-08-09T22:00:19.652Z"}}', jsonb_build_object('headers', jsonb_build_array(jsonb_build_object('name', 'x-nudge-message-ID', 'value', :'tag'))))::text);
SELECT pg_temp.unknown() AS before \gset
SELECT * FROM pg_temp.takes('ses', pg_temp.ses('Open', '{"open": {"timestamp": "2017-08-09T22:00:19.652Z"}}', '{"messageId": "somebody else''s"}')::text);
SELECT * FROM pg_temp.takes('ses', pg_temp.ses('Open', '{"open": {"timestamp": "2017-08-09T22:00:19.652Z"}}', '{"messageId": "", "tags": {"message_id": ["99999999999999999999999999"]}}')::text);
SELECT pg_temp.unknown() - :before AS unknown;
-- of several recipients, ours; where one mail was several messages, each its own
SELECT * FROM pg_temp.takes('ses', pg_temp.ses('Bounce', '{"bounce": {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": "cc@example.com"}, {"emailAddress": "other@example.com"}], "timestamp": "2016-10-14T05:02:52.574Z", "feedbackId": "e"}}')::text);
SELECT * FROM pg_temp.takes('ses', pg_temp.ses('Bounce', '{"bounce": {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": "cc@example.com"}, {"emailAddress": "recipient@example.com"}], "timestamp": "2016-10-14T05:02:52.574Z", "feedbackId": "e"}}')::text);
SELECT count(pg_temp.message(w, 'shared', w || '@example.com')) FROM unnest('{one,two,three}'::text[]) AS w;
SELECT * FROM pg_temp.takes('ses', pg_temp.ses('Bounce', '{"bounce": {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": "two@example.com"}, {"emailAddress": "ONE@example.com"}], "timestamp": "2016-10-14T05:02:52.574Z", "feedbackId": "f"}}', '{"messageId": "shared"}')::text);
-- (an open does not say whose it is)
SELECT * FROM pg_temp.takes('ses', pg_temp.ses('Open', '{"open": {"timestamp": "2017-08-09T22:00:19.652Z"}}', '{"messageId": "shared"}')::text);

--
-- SendGrid
--
SELECT pg_temp.message('sendgrid', '14c5d75ce93.dfd.64b469', 'example@test.com') AS sendgrid \gset
SELECT pg_temp.message('custom', NULL, 'custom@test.com') AS custom \gset
SELECT pg_temp.message('short', 'kXs1R8ZrT4CzdzUxJp6Qow', 'short@test.com') AS short \gset
CREATE FUNCTION pg_temp.sendgrid(VARIADIC events jsonb[]) RETURNS text LANGUAGE sql AS $$
    SELECT jsonb_agg('{"email": "example@test.com", "timestamp": 1513299569, "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>", "category": ["cat facts"],
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0"}'::jsonb || jsonb_build_object('sg_event_id', 'event-' || n) || e ORDER BY n)::text
    FROM unnest(events) WITH ORDINALITY AS u (e, n)
$$;
SELECT * FROM pg_temp.takes('sendgrid', pg_temp.sendgrid('{"event": "processed"}', '{"event": "deferred", "response": "400 try again later", "attempt": "5"}',
    '{"event": "delivered", "response": "250 OK"}',
    '{"event": "open", "timestamp": 1513299600, "useragent": "Mozilla/4.0 (compatible; MSIE 6.1; Windows XP; .NET CLR 1.1.4322; .NET CLR 2.0.50727)", "ip": "255.255.255.255"}',
    '{"event": "click", "timestamp": 1513299601, "useragent": "Mozilla/4.0 (compatible; MSIE 6.1; Windows XP; .NET CLR 1.1.4322; .NET CLR 2.0.50727)", "ip": "255.255.255.255", "url": "http://www.sendgrid.com/"}'));
SELECT event_type, metadata FROM nudge.events WHERE user_id = 'wh_sendgrid' ORDER BY event_id;
-- (all of it again)
SELECT nudge.ingest_webhook('sendgrid', pg_temp.sendgrid('{"event": "processed"}', '{"event": "deferred"}', '{"event": "delivered"}', '{"event": "open"}')::jsonb);
SELECT * FROM pg_temp.takes('sendgrid', pg_temp.sendgrid('{"event": "open", "sg_machine_open": true, "sg_content_type": "html", "useragent": "Mozilla/5.0 (Macintosh)"}'));
SELECT * FROM pg_temp.takes('sendgrid', pg_temp.sendgrid('{"event": "bounce", "type": "bounce", "reason": "500 unknown recipient", "status": "5.0.0"}'));
SELECT * FROM pg_temp.takes('sendgrid', pg_temp.sendgrid('{"event": "bounce", "type": "blocked", "reason": "550 blocked", "status": "5.7.1", "bounce_classification": "Reputation"}'));
SELECT * FROM pg_temp.takes('sendgrid', pg_temp.sendgrid('{"event": "dropped", "reason": "Bounced Address", "status": "5.0.0"}'));
SELECT * FROM pg_temp.takes('sendgrid', pg_temp.sendgrid('{"event": "spamreport"}'));
SELECT * FROM pg_temp.takes('sendgrid', pg_temp.sendgrid('{"event": "unsubscribe"}'));
SELECT * FROM pg_temp.takes('sendgrid', pg_temp.sendgrid('{"event": "group_unsubscribe", "useragent": "Mozilla/4.0 (compatible; MSIE 6.1)", "ip": "255.255.255.255", "url": "http://www.sendgrid.com/", "asm_group_id": 10}'));
SELECT * FROM pg_temp.takes('sendgrid', pg_temp.sendgrid('{"event": "group_resubscribe", "asm_group_id": 10}', '{"event": "account_status_change", "type": "compliance_suspend", "timestamp": null}'));
-- several messages in a payload, found in different ways; those that nobody knows are counted
SELECT pg_temp.unknown() AS before \gset
SELECT * FROM pg_temp.takes('sendgrid', pg_temp.sendgrid('{"event": "delivered"}', jsonb_build_object('event', 'delivered', 'message_id', :'custom', 'sg_message_id', 'x', 'email', 'custom@test.com'),
    jsonb_build_object('event', 'delivered', 'message_id', :short), '{"event": "spamreport", "sg_message_id": "kXs1R8ZrT4CzdzUxJp6Qow.recvd-7c9f-1-65"}',
    '{"event": "spamreport", "sg_message_id": "nobody''s"}', '{"event": "open", "sg_message_id": null}'));
SELECT pg_temp.unknown() - :before AS unknown;
SELECT * FROM pg_temp.takes('sendgrid', pg_temp.sendgrid('{"event": "delivered", "sg_message_id": "kXs1R8ZrT4CzdzUxJp6Qow.another-suffix.0"}'));
SELECT * FROM pg_temp.takes('sendgrid', '[]');

--
-- Mailgun
--
SELECT pg_temp.message('mailgun', '<20130503182626.18666.16540@mailgun.example>', 'alice@example.com') AS mailgun \gset
CREATE FUNCTION pg_temp.mailgun(event jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT jsonb_build_object('signature', '{"timestamp": "1529006854", "token": "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0", "signature": "d2271d12299f6592d9d44cd9d250f0704e4674c30d79d07c47a66f95ce71cf55"}'::jsonb,
        'event-data', '{"id": "DACSsAdVSeGpLid7TN03WA", "timestamp": 1529006854.329574, "log-level": "info", "recipient": "alice@example.com", "recipient-domain": "example.com",
            "message": {"headers": {"to": "Alice <alice@example.com>", "message-id": "20130503182626.18666.16540@mailgun.example", "from": "Bob <bob@mailgun.example>", "subject": "Test"}, "attachments": [], "size": 111},
            "flags": {"is-authenticated": true, "is-test-mode": false}, "tags": ["my_tag_1"], "campaigns": [], "user-variables": []}'::jsonb || event)::text
$$;
SELECT * FROM pg_temp.takes('mailgun', pg_temp.mailgun('{"event": "accepted", "method": "HTTP"}'));
SELECT * FROM pg_temp.takes('mailgun', pg_temp.mailgun('{"event": "delivered", "delivery-status": {"code": 250, "message": "OK", "attempt-no": 1, "session-seconds": 0.43}}'));
SELECT * FROM pg_temp.takes('mailgun', pg_temp.mailgun('{"event": "opened", "ip": "50.56.129.169", "geolocation": {"country": "US"}, "client-info": {"client-type": "mobile browser", "client-os": "iOS", "device-type": "mobile", "client-name": "Mobile Safari", "user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 6_1 like Mac OS X) AppleWebKit/536.26", "bot": ""}}'));
SELECT * FROM pg_temp.takes('mailgun', pg_temp.mailgun('{"event": "opened", "client-info": {"client-name": "unknown", "user-agent": "Mozilla/5.0 (Macintosh)", "bot": "apple"}}'));
SELECT * FROM pg_temp.takes('mailgun', pg_temp.mailgun('{"event": "clicked", "url": "http://mailgun.com", "ip": "50.56.129.169", "client-info": {"client-name": "Chrome", "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.31 Chrome/26.0.1410.43 Safari/537.31"}}'));
SELECT metadata FROM nudge.events WHERE user_id = 'wh_mailgun';
SELECT * FROM pg_temp.takes('mailgun', pg_temp.mailgun('{"event": "failed", "severity": "permanent", "reason": "bounce", "delivery-status": {"code": 550, "message": "5.1.1 The email account that you tried to reach does not exist", "description": "", "attempt-no": 1}}'));
SELECT * FROM pg_temp.takes('mailgun', pg_temp.mailgun('{"event": "failed", "severity": "temporary", "reason": "generic", "delivery-status": {"code": 452, "message": "4.2.2 The email account that you tried to reach is over quota", "attempt-no": 1, "retry-seconds": 600}}'));
SELECT * FROM pg_temp.takes('mailgun', pg_temp.mailgun('{"event": "failed", "severity": "permanent", "reason": "old", "delivery-status": {"code": 602, "message": "Too old"}}'));
SELECT * FROM pg_temp.takes('mailgun', pg_temp.mailgun('{"event": "failed", "severity": "permanent", "reason": "suppress-bounce", "delivery-status": {"code": 605, "message": "", "description": "Not delivering to previously bounced address"}}'));
SELECT * FROM pg_temp.takes('mailgun', pg_temp.mailgun('{"event": "rejected", "reject": {"reason": "Sandbox subdomains are for test purposes only.", "description": ""}}'));
SELECT * FROM pg_temp.takes('mailgun', pg_temp.mailgun('{"event": "complained"}'));
SELECT * FROM pg_temp.takes('mailgun', pg_temp.mailgun('{"event": "unsubscribed", "ip": "50.56.129.169", "client-info": {"client-name": "Chrome", "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/26.0"}}'));
SELECT * FROM pg_temp.takes('mailgun', pg_temp.mailgun('{"event": "stored", "storage": {"url": "https://se.api.mailgun.net/v3/domains/x", "key": "y"}}'));
-- found by a variable of ours, as text or as a number
SELECT r.* FROM unnest(ARRAY[to_jsonb(:mailgun), to_jsonb(:'mailgun'::text)]) AS v
CROSS JOIN LATERAL pg_temp.takes('mailgun', pg_temp.mailgun(jsonb_build_object('event', 'complained', 'user-variables', jsonb_build_object('message_id', v), 'message', '{}'::jsonb))) AS r;

--
-- Postmark
--
SELECT pg_temp.message('postmark', '883953f4-6105-42a2-a16a-77a8eac79483', 'john@example.com') AS postmark \gset
CREATE FUNCTION pg_temp.postmark(record jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT ('{"MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "ServerID": 23, "MessageStream": "outbound", "Tag": "welcome-email", "Metadata": {}}'::jsonb || record)::text
$$;
\set bounced '"ID": 4323372036854775807, "TypeCode": 1, "Name": "Hard bounce", "Description": "The server was unable to deliver your message", "Details": "Test bounce details", "Email": "john@example.com", "From": "sender@example.com", "BouncedAt": "2019-11-05T16:33:54.9070259Z", "DumpAvailable": true, "Inactive": true, "CanActivate": true, "Subject": "Test subject"'
\set opened '"Client": {"Name": "Chrome 35.0.1916.153", "Company": "Google", "Family": "Chrome"}, "OS": {"Name": "OS X 10.7 Lion", "Company": "Apple Computer, Inc.", "Family": "OS X 10"}, "Platform": "WebMail", "UserAgent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_7_5) AppleWebKit/537.36 Chrome/35.0.1916.153 Safari/537.36", "Geo": {"CountryISOCode": "RS", "IP": "188.2.95.4"}, "ReceivedAt": "2019-11-05T16:33:54.9070259Z", "Recipient": "john@example.com"'
SELECT * FROM pg_temp.takes('postmark', pg_temp.postmark('{"RecordType": "Delivery", "Recipient": "john@example.com", "DeliveredAt": "2019-11-05T16:33:54.9070259Z", "Details": "Test delivery webhook details"}'));
SELECT * FROM pg_temp.takes('postmark', pg_temp.postmark(('{"RecordType": "Open", "FirstOpen": true, ' || :'opened' || '}')::jsonb));
SELECT * FROM pg_temp.takes('postmark', pg_temp.postmark(('{"RecordType": "Click", "ClickLocation": "HTML", "OriginalLink": "https://example.com", ' || :'opened' || '}')::jsonb));
SELECT metadata FROM nudge.events WHERE user_id = 'wh_postmark';
SELECT * FROM pg_temp.takes('postmark', pg_temp.postmark(('{"RecordType": "SpamComplaint", "Type": "SpamComplaint", ' || :'bounced' || '}')::jsonb));
SELECT t.type, r.* FROM unnest('{HardBounce,Transient,Unsubscribe,Subscribe,AutoResponder,AddressChange,DnsError,SpamNotification,OpenRelayTest,Unknown,SoftBounce,VirusNotification,ChallengeVerification,BadEmailAddress,SpamComplaint,ManuallyDeactivated,Unconfirmed,Blocked,SMTPApiError,InboundError,DMARCPolicy,TemplateRenderingFailed}'::text[]) AS t (type)
CROSS JOIN LATERAL pg_temp.takes('postmark', pg_temp.postmark(('{"RecordType": "Bounce", "Type": "' || t.type || '", ' || :'bounced' || '}')::jsonb)) AS r;
\set changed '"RecordType": "SubscriptionChange", "ChangedAt": "2020-02-01T10:53:34.416071Z", "Recipient": "john@example.com"'
SELECT c, r.* FROM unnest(ARRAY['"SuppressSending": true, "Origin": "Recipient", "SuppressionReason": "ManualSuppression"', '"SuppressSending": true, "Origin": "Recipient", "SuppressionReason": "HardBounce"',
    '"SuppressSending": true, "Origin": "Recipient", "SuppressionReason": "SpamComplaint"', '"SuppressSending": true, "Origin": "Admin", "SuppressionReason": "ManualSuppression"',
    '"SuppressSending": false, "Origin": "Customer", "SuppressionReason": null']) AS c
CROSS JOIN LATERAL pg_temp.takes('postmark', pg_temp.postmark(('{' || c || ', ' || :'changed' || '}')::jsonb)) AS r;
SELECT * FROM pg_temp.takes('postmark', pg_temp.postmark(jsonb_build_object('RecordType', 'Delivery', 'MessageID', NULL, 'DeliveredAt', '2019-11-05T16:33:54Z', 'Metadata', jsonb_build_object('message_id', :'postmark'))));

--
-- ack has told that it was sent
--
INSERT INTO nudge.events (user_id, event_type, message_id) VALUES ('wh_ses', 'sent', :ses);
SELECT nudge.ingest_webhook('ses', pg_temp.ses('Send', '{"send": {}}'));
DELETE FROM nudge.events WHERE user_id = 'wh_ses';
SELECT nudge.ingest_webhook('ses', pg_temp.ses('Send', '{"send": {}}')), nudge.ingest_webhook('ses', pg_temp.ses('Send', '{"send": {}}'));

-- All or nothing: one bad event of many, and nothing is recorded or counted
SELECT pg_temp.unknown() AS before \gset
SELECT * FROM pg_temp.takes('sendgrid', pg_temp.sendgrid('{"event": "spamreport"}', '{"event": "open", "sg_message_id": "nobody''s"}', '{"event": "melted"}'));
SELECT * FROM pg_temp.takes('sendgrid', pg_temp.sendgrid('{"event": "spamreport"}', '{"event": "open", "sg_message_id": "nobody''s"}', '{"event": "open", "timestamp": "soon"}'));
SELECT count(*) FROM nudge.events WHERE user_id = 'wh_sendgrid';
SELECT count(*) FROM nudge.suppressions WHERE user_id LIKE 'wh\_%';
SELECT pg_temp.unknown() - :before AS unknown;

-- A mailer may take payloads in
CREATE ROLE wh_mailer;
SELECT nudge.grant_access('wh_mailer', 'mailer');
SELECT pg_temp.sendgrid('{"event": "delivered"}') AS payload \gset
SET ROLE wh_mailer;
SELECT nudge.ingest_webhook('sendgrid', :'payload');
SELECT nudge.webhook_sendgrid(:'payload');
RESET ROLE;
SELECT nudge.revoke_access('wh_mailer', 'mailer');
DROP ROLE wh_mailer;

DELETE FROM nudge.suppressions WHERE user_id LIKE 'wh\_%';
DELETE FROM nudge.message_results WHERE user_id LIKE 'wh\_%';
DELETE FROM nudge.messages WHERE user_id LIKE 'wh\_%';
DELETE FROM nudge.events WHERE user_id LIKE 'wh\_%';
DELETE FROM nudge.actions WHERE user_id LIKE 'wh\_%';
