SELECT c.name FROM nudge.channels c ORDER BY c.name
