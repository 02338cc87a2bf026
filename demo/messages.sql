-- Two messages of different rules

SELECT format(E'\n   From: %s <%s>\n   To: %s\n   Subject: %s\n\n   %s\n', sender_name, sender_address, recipient, subject,
              replace(body_text, E'\n', E'\n   '))
FROM (SELECT DISTINCT ON (rule_id) * FROM nudge.outbox ORDER BY rule_id, message_id) first_messages
ORDER BY rule_id
LIMIT 2;
