\x on
SELECT * FROM nudge.health;
