-- Backtests and reports: what is refused
\getenv abs_srcdir PG_ABS_SRCDIR
\set refused :abs_srcdir '/include/refused.sql'
\i :refused
\pset format unaligned
\pset tuples_only on
SELECT pg_temp.refused(format('SELECT nudge.backtest(%L, %L, %L)', v.config, v.f, v.t))
FROM (VALUES (1, NULL, '2026-01-01', '2026-02-01'),
             (2, '{}', '2026-01-01', '2026-02-01'),
             (3, '[]', '2026-01-01', '2026-02-01'),
             (4, '{"name": "d", "type": "odd"}', '2026-01-01', '2026-02-01'),
             (5, '{"name": "d", "type": "behavioral", "segmentation_rules": ["nobody"]}', '2026-01-01', '2026-02-01'),
             (6, '{"name": "d", "type": "behavioral", "template_id": "none"}', '2026-01-01', '2026-02-01'),
             (7, '{"name": "d", "type": "behavioral", "reentry": {"key": "$."}}', '2026-01-01', '2026-02-01'),
             (8, '{"name": "d", "type": "time_based", "schedule": {"kind": "decline", "after": "3 days"}}', '2026-01-01', '2026-02-01'),
             (9, '{"name": "d", "type": "behavioral"}', '2026-02-01', '2026-01-01'),
             (10, '{"name": "d", "type": "behavioral"}', '2026-02-01', '2026-02-01'),
             (11, '{"name": "d", "type": "behavioral"}', NULL, '2026-02-01'),
             (12, '{"name": "d", "type": "behavioral"}', '2026-02-01', NULL),
             (13, '{"name": "d", "type": "behavioral"}', '-infinity', 'infinity')) AS v (n, config, f, t)
ORDER BY n;
-- Reports
SELECT pg_temp.refused(format('SELECT nudge.%s', v.call))
FROM (VALUES (1, 'performance_report(NULL)'), (2, 'performance_report(-5)'), (3, 'performance_report(1, NULL)'), (4, 'performance_report(1, ''0 days'')'),
             (5, 'performance_report(1, ''-1 day'')'), (6, 'performance_report(1, ''200 years'')'), (7, 'optimize_rule(NULL)'), (8, 'optimize_rule(-5)'),
             (9, 'report(-5)'), (10, 'report(NULL, ''-3 days'')'), (11, 'report(NULL, NULL)')) AS v (n, call)
ORDER BY n;
