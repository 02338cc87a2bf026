--
-- Version 0.4.0: a report as one HTML page
--
-- Charts are SVG with classes, whose colours the page's style sheet gives for light
-- and dark.  Whatever is not ours (names of rules, segments, variants) is escaped.
--

CREATE FUNCTION nudge.html_escape(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT replace(replace(replace(replace(replace(value, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;')
$$;
COMMENT ON FUNCTION nudge.html_escape(text) IS 'Internal: a text as HTML says it, in elements and in quoted attributes';

CREATE FUNCTION nudge.html_percent(share float8) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN share IS NULL THEN '–' ELSE trim_scale(round((100 * share)::numeric, 2)) || ' %' END
$$;
COMMENT ON FUNCTION nudge.html_percent(float8) IS 'Internal: a share in per cent; a dash where there is none';

-- Horizontal bars, one a row: a label, a bar, and what is said of it.
CREATE FUNCTION nudge.svg_bars(title text, labels text[], amounts float8[], notes text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN count(*) = 0 THEN '<p class="none">Nothing to show yet.</p>' ELSE
        format('<svg role="img" viewBox="0 0 640 %s"><title>%s</title>', 28 * count(*) + 4, nudge.html_escape(title))
        || string_agg(format(
               '<text class="label" x="150" y="%1$s">%2$s</text><rect class="bar" x="160" y="%3$s" width="%4$s" height="18" rx="2"/><text class="note" x="%5$s" y="%1$s">%6$s</text>',
               28 * b.n - 8, nudge.html_escape(CASE WHEN length(b.label) > 22 THEN left(b.label, 21) || '…' ELSE b.label END), 28 * b.n - 22,
               round(b.width::numeric, 1), round(b.width::numeric, 1) + 166, nudge.html_escape(b.note)), '' ORDER BY b.n)
        || '</svg>' END
    FROM (SELECT u.n, u.label, u.note, 270 * coalesce(u.amount / nullif(max(u.amount) OVER (), 0), 0) AS width
          FROM ROWS FROM (unnest(labels), unnest(amounts), unnest(notes)) WITH ORDINALITY AS u (label, amount, note, n)) AS b
$$;
COMMENT ON FUNCTION nudge.svg_bars(text, text[], float8[], text[]) IS 'Internal: a bar chart';

-- A line over days, with its largest value at the top; days without a value are left out.
CREATE FUNCTION nudge.svg_trend(title text, days date[], amounts float8[], style text, top_label text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN count(*) = 0 THEN '<p class="none">Nothing to show yet.</p>' ELSE
        format('<svg role="img" viewBox="0 0 640 160"><title>%s</title>'
               '<line class="axis" x1="50" y1="130" x2="630" y2="130"/><line class="axis" x1="50" y1="10" x2="50" y2="130"/>'
               '<text class="label" x="44" y="18">%s</text><text class="label" x="44" y="134">0</text>'
               '<text class="day" x="50" y="150">%s</text><text class="day end" x="630" y="150">%s</text>',
               nudge.html_escape(title), nudge.html_escape(top_label), min(p.day), max(p.day))
        || coalesce(format('<polyline class="%s" points="%s"/>', style, string_agg(format('%s,%s', p.x, p.y), ' ' ORDER BY p.day) FILTER (WHERE p.y IS NOT NULL))
        || string_agg(format('<circle class="%s" cx="%s" cy="%s" r="2"><title>%s: %s</title></circle>',
                             style, p.x, p.y, p.day, round(p.amount::numeric, 4)), '' ORDER BY p.day) FILTER (WHERE p.y IS NOT NULL), '')
        || '</svg>' END
    FROM (SELECT u.day, u.amount,
                 round((50 + 580 * (u.n - 1)::float8 / greatest(count(*) OVER () - 1, 1))::numeric, 1) AS x,
                 round((130 - 115 * CASE WHEN u.amount IS NOT NULL THEN coalesce(u.amount / nullif(max(u.amount) OVER (), 0), 0) END)::numeric, 1) AS y
          FROM ROWS FROM (unnest(days), unnest(amounts)) WITH ORDINALITY AS u (day, amount, n)) AS p
$$;
COMMENT ON FUNCTION nudge.svg_trend(text, date[], float8[], text, text) IS 'Internal: a line chart over days';

-- Weekdays down, hours across; the darker the more.  NULL: nothing was sent then.
CREATE FUNCTION nudge.svg_heat_map(title text, weekdays integer[], hours integer[], amounts float8[], notes text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('<svg role="img" viewBox="0 0 640 210"><title>%s</title>', nudge.html_escape(title))
        || (SELECT string_agg(format('<text class="label" x="44" y="%s">%s</text>', 24 * d.n - 4, d.name), '' ORDER BY d.n)
            FROM unnest('{Mon,Tue,Wed,Thu,Fri,Sat,Sun}'::text[]) WITH ORDINALITY AS d (name, n))
        || (SELECT string_agg(format('<text class="day" x="%s" y="188">%s</text>', 50 + 24 * h, h), '' ORDER BY h)
            FROM generate_series(0, 21, 3) AS h)
        || coalesce((
            SELECT string_agg(format(
                       '<rect class="heat" x="%s" y="%s" width="22" height="22" rx="2" fill-opacity="%s"><title>%s</title></rect>',
                       50 + 24 * c.hour, 24 * c.weekday - 20,
                       round((0.06 + 0.94 * coalesce(c.amount / nullif(c.most, 0), 0))::numeric, 3), nudge.html_escape(c.note)),
                       '' ORDER BY c.weekday, c.hour)
            FROM (SELECT u.weekday, u.hour, u.amount, u.note, max(u.amount) OVER () AS most
                  FROM ROWS FROM (unnest(weekdays), unnest(hours), unnest(amounts), unnest(notes)) AS u (weekday, hour, amount, note)) AS c), '')
        || '</svg>'
$$;
COMMENT ON FUNCTION nudge.svg_heat_map(text, integer[], integer[], float8[], text[]) IS 'Internal: a heat map of the hours of the week';

CREATE FUNCTION nudge.report_style() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT '
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1b1f24; --faint: #5b6570; --line: #d5dae0; --card: #f4f6f8; --one: #1f6feb; --two: #b35900; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #12161b; --ink: #e7ebf0; --faint: #a3adb8; --line: #3a434d; --card: #1b2129; --one: #6cb0ff; --two: #ffb066; }
}
body { background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 960px; padding: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; } h3 { font-size: .9rem; font-weight: 600; margin: .75rem 0 .25rem; } .lead, .none { color: var(--faint); }
.tiles { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); margin: 1.5rem 0; }
.tile { background: var(--card); border-radius: 8px; padding: .75rem 1rem; } .tile b { display: block; font-size: 1.4rem; } .tile span { color: var(--faint); font-size: .85rem; }
.table { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: right; } th:first-child, td:first-child { text-align: left; }
svg { background: var(--card); border-radius: 8px; display: block; height: auto; margin: .5rem 0; max-width: 100%; width: 640px; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } svg .label { text-anchor: end; } svg .note, svg .day { fill: var(--faint); } svg .end { text-anchor: end; }
svg .bar, svg .heat { fill: var(--one); } svg .axis { stroke: var(--line); } svg polyline { fill: none; stroke-width: 2; }
svg polyline.one { stroke: var(--one); } svg polyline.two { stroke: var(--two); } svg circle.one { fill: var(--one); } svg circle.two { fill: var(--two); }
'
$$;
COMMENT ON FUNCTION nudge.report_style() IS 'Internal: the style sheet of reports';

-- A table out of rows of cells; the first row is its head.
CREATE FUNCTION nudge.html_table(head text[], lines jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN jsonb_array_length(lines) = 0 THEN '<p class="none">Nothing to show yet.</p>' ELSE
        '<div class="table"><table><thead><tr>'
        || (SELECT string_agg('<th scope="col">' || nudge.html_escape(h.cell) || '</th>', '' ORDER BY h.n) FROM unnest(head) WITH ORDINALITY AS h (cell, n))
        || '</tr></thead><tbody>'
        || (SELECT string_agg('<tr>' || (SELECT string_agg('<td>' || nudge.html_escape(coalesce(c.cell, '–')) || '</td>', '' ORDER BY c.n)
                                         FROM jsonb_array_elements_text(l.line) WITH ORDINALITY AS c (cell, n)) || '</tr>', '' ORDER BY l.n)
            FROM jsonb_array_elements(lines) WITH ORDINALITY AS l (line, n))
        || '</tbody></table></div>' END
$$;
COMMENT ON FUNCTION nudge.html_table(text[], jsonb) IS 'Internal: an HTML table';

-- The parts of a report, each a chart with the figures below it.
CREATE FUNCTION nudge.report_tiles(rule_id bigint, first_day date, last_day date) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT '<div class="tiles">' || string_agg(format('<div class="tile"><b>%s</b><span>%s</span></div>', t.value, t.label), '' ORDER BY t.n) || '</div>'
    FROM nudge.period_figures(report_tiles.rule_id, report_tiles.first_day, report_tiles.last_day) AS f
    CROSS JOIN LATERAL (VALUES
        (1, f.sent::text, 'sent'),
        (2, nudge.html_percent(f.delivered::float8 / nullif(f.sent, 0)), 'delivered'),
        (3, nudge.html_percent(f.opened::float8 / nullif(f.sent, 0)), 'opened'),
        (4, nudge.html_percent(f.clicked::float8 / nullif(f.sent, 0)), 'clicked'),
        (5, nudge.html_percent(f.conversions::float8 / nullif(f.sent, 0)), 'converted'),
        (6, trim_scale(round(f.revenue, 2))::text, 'revenue'),
        (7, nudge.html_percent(f.unsubscribes::float8 / nullif(f.sent, 0)), 'unsubscribed'),
        (8, nudge.html_percent(f.bounces::float8 / nullif(f.sent, 0)), 'bounced')) AS t (n, value, label)
$$;
COMMENT ON FUNCTION nudge.report_tiles(bigint, date, date) IS 'Internal: the key figures of a report';

CREATE FUNCTION nudge.report_funnel(rule_id bigint, first_day date, last_day date) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT nudge.svg_bars('From trigger to conversion', array_agg(s.step ORDER BY s.n), array_agg(s.amount::float8 ORDER BY s.n),
                          array_agg(CASE WHEN s.n = 1 THEN s.amount::text
                                         ELSE format('%s (%s of those before)', s.amount, nudge.html_percent(s.amount::float8 / nullif(s.before, 0))) END ORDER BY s.n))
    FROM (SELECT v.n, v.step, v.amount, lag(v.amount) OVER (ORDER BY v.n) AS before
          FROM nudge.period_figures(report_funnel.rule_id, report_funnel.first_day, report_funnel.last_day) AS f
          CROSS JOIN LATERAL (VALUES (1, 'Triggered', f.total_triggers), (2, 'Sent', f.sent), (3, 'Delivered', f.delivered), (4, 'Opened', f.opened),
                                     (5, 'Clicked', f.clicked), (6, 'Converted', f.conversions)) AS v (n, step, amount)) AS s
$$;
COMMENT ON FUNCTION nudge.report_funnel(bigint, date, date) IS 'Internal: the funnel of a report';

CREATE FUNCTION nudge.report_trend(rule_id bigint, first_day date, last_day date) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT '<h3>Sent a day</h3>'
        || nudge.svg_trend('Messages sent, by day', array_agg(x.day ORDER BY x.day), array_agg(x.sent::float8 ORDER BY x.day), 'one', coalesce(max(x.sent), 0)::text)
        || '<h3>Open rate a day</h3>'
        || nudge.svg_trend('Open rate, by day', array_agg(x.day ORDER BY x.day), array_agg(x.rate ORDER BY x.day), 'two', round((100 * coalesce(max(x.rate), 0))::numeric) || ' %')
    FROM (SELECT g.day::date AS day, coalesce(sum(d.sent), 0)::bigint AS sent, sum(d.opened)::float8 / nullif(sum(d.sent), 0) AS rate
          FROM generate_series(report_trend.first_day::timestamp, report_trend.last_day, '1 day') AS g (day)
          LEFT JOIN nudge.rule_performance_daily d
              ON d.day = g.day::date AND (report_trend.rule_id IS NULL OR d.rule_id = report_trend.rule_id)
          GROUP BY g.day) AS x
$$;
COMMENT ON FUNCTION nudge.report_trend(bigint, date, date) IS 'Internal: the trend of a report';

CREATE FUNCTION nudge.report_hours(rule_id bigint) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT nudge.svg_heat_map('Open rate by the hour of sending', array_agg(h.weekday::integer), array_agg(h.hour::integer), array_agg(h.rate),
                              array_agg(format('%s %s:00: %s of %s opened', (ARRAY['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'])[h.weekday::integer], h.hour,
                                               nudge.html_percent(h.rate), h.sent)))
    FROM (SELECT p.weekday, p.hour, sum(p.sent) AS sent, sum(p.opened)::float8 / nullif(sum(p.sent), 0) AS rate
          FROM nudge.send_time_performance p
          WHERE report_hours.rule_id IS NULL OR p.rule_id = report_hours.rule_id
          GROUP BY p.weekday, p.hour
          HAVING sum(p.sent) > 0) AS h
$$;
COMMENT ON FUNCTION nudge.report_hours(bigint) IS 'Internal: the heat map of a report';

CREATE FUNCTION nudge.report_channels(rule_id bigint, first_day date, last_day date) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT nudge.svg_bars('Click rate by channel', array_agg(c.channel ORDER BY c.channel), array_agg(c.clicked::float8 / nullif(c.sent, 0) ORDER BY c.channel),
                          array_agg(nudge.html_percent(c.clicked::float8 / nullif(c.sent, 0)) ORDER BY c.channel))
        || nudge.html_table('{Channel,Sent,Delivered,Opened,Clicked,Conversions,Revenue}',
               coalesce(jsonb_agg(jsonb_build_array(c.channel, c.sent, nudge.html_percent(c.delivered::float8 / nullif(c.sent, 0)),
                                           nudge.html_percent(c.opened::float8 / nullif(c.sent, 0)),
                                           nudge.html_percent(c.clicked::float8 / nullif(c.sent, 0)), c.conversions, trim_scale(round(c.revenue, 2)))
                         ORDER BY c.channel), '[]'))
    FROM nudge.period_channels(report_channels.rule_id, report_channels.first_day, report_channels.last_day) AS c
$$;
COMMENT ON FUNCTION nudge.report_channels(bigint, date, date) IS 'Internal: channels in a report';

CREATE FUNCTION nudge.report_variants(rule_id bigint) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT nudge.html_table('{Variant,Rule,Sent,Open rate,Click rate,Conversion rate,95 % interval}',
               coalesce(jsonb_agg(jsonb_build_array(v.variant, r.name, v.sent, nudge.html_percent(v.open_rate), nudge.html_percent(v.click_rate),
                                           nudge.html_percent(v.conversion_rate),
                                           nudge.html_percent(v.conversion_rate_low) || ' to ' || nudge.html_percent(v.conversion_rate_high))
                         ORDER BY v.rule_id, v.variant), '[]'))
    FROM nudge.variant_performance v
    LEFT JOIN nudge.rules r ON r.rule_id = v.rule_id
    WHERE v.variant IS NOT NULL AND (report_variants.rule_id IS NULL OR v.rule_id = report_variants.rule_id)
$$;
COMMENT ON FUNCTION nudge.report_variants(bigint) IS 'Internal: variants in a report';

CREATE FUNCTION nudge.report_attribution(rule_id bigint) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT nudge.svg_bars('Revenue by model', array_agg(m.model ORDER BY m.model), array_agg(m.revenue::float8 ORDER BY m.model),
                          array_agg(format('%s (%s conversions)', trim_scale(round(m.revenue, 2)), trim_scale(round(m.conversions::numeric, 2))) ORDER BY m.model))
    FROM (SELECT a.model, sum(a.revenue) AS revenue, sum(a.conversions) AS conversions
          FROM nudge.attribution a
          WHERE report_attribution.rule_id IS NULL OR a.rule_id = report_attribution.rule_id
          GROUP BY a.model) AS m
$$;
COMMENT ON FUNCTION nudge.report_attribution(bigint) IS 'Internal: attribution in a report';

CREATE FUNCTION nudge.report_rules(first_day date, last_day date) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT nudge.html_table('{Rule,Triggers,Sent,Open rate,Click rate,Conversions,Revenue,Unsubscribed}',
               coalesce(jsonb_agg(jsonb_build_array(coalesce(p.name, 'rule ' || p.rule_id), p.triggers, p.sent,
                                           nudge.html_percent(p.opened::float8 / nullif(p.sent, 0)), nudge.html_percent(p.clicked::float8 / nullif(p.sent, 0)),
                                           p.conversions, trim_scale(round(p.revenue, 2)), nudge.html_percent(p.unsubscribes::float8 / nullif(p.sent, 0)))
                         ORDER BY p.sent DESC, p.rule_id), '[]'))
    FROM (SELECT d.rule_id, d.name, sum(d.total_triggers) AS triggers, sum(d.sent) AS sent, sum(d.opened) AS opened, sum(d.clicked) AS clicked,
                 sum(d.conversions) AS conversions, sum(d.revenue) AS revenue, sum(d.unsubscribes) AS unsubscribes
          FROM nudge.rule_performance_daily d
          WHERE d.day BETWEEN report_rules.first_day AND report_rules.last_day
          GROUP BY d.rule_id, d.name) AS p
$$;
COMMENT ON FUNCTION nudge.report_rules(date, date) IS 'Internal: the rules in a report on all of them';

CREATE FUNCTION nudge.report_advice(rule_id bigint, first_day date, last_day date) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce('<ul>' || string_agg(format('<li>%s</li>', nudge.html_escape(format('%s is %s, %s %s: %s.',
                        replace(o.metric, '_', ' '), nudge.html_percent(o.value), o.side, nudge.html_percent(o.threshold),
                        array_to_string(o.advice, '; ')))), '' ORDER BY o.metric) || '</ul>',
                    '<p class="none">Nothing is past its threshold, or too little was sent to tell.</p>')
    FROM nudge.opportunities(report_advice.rule_id, report_advice.first_day, report_advice.last_day) AS o
$$;
COMMENT ON FUNCTION nudge.report_advice(bigint, date, date) IS 'Internal: what a report advises';

CREATE FUNCTION nudge.report(rule_id bigint DEFAULT NULL, period interval DEFAULT '30 days') RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO'
AS $$
#variable_conflict use_column
DECLARE
    days integer := nudge.period_days(report.period);
    last_day date := (now() AT TIME ZONE nudge.setting('timezone'))::date;
    first_day date := last_day - days + 1;
    title text := 'All rules';
BEGIN
    IF report.rule_id IS NOT NULL THEN
        PERFORM nudge.require_rule(report.rule_id);
        title := (SELECT r.name FROM nudge.rules r WHERE r.rule_id = report.rule_id);
    END IF;
    RETURN concat_ws(E'\n',
        '<!DOCTYPE html>',
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<meta http-equiv="Content-Security-Policy" content="default-src ''none''; style-src ''unsafe-inline''">',
        format('<title>%s: report</title>', nudge.html_escape(title)),
        '<style>' || nudge.report_style() || '</style></head><body>',
        format('<h1>%s</h1><p class="lead">Messages made from %s to %s (%s). A message and all that became of it count on the day on which it was made; machine opens and clicks are left out.</p>',
               nudge.html_escape(title), first_day, last_day, nudge.html_escape(nudge.setting('timezone'))),
        nudge.report_tiles(report.rule_id, first_day, last_day),
        '<h2>Funnel</h2>', nudge.report_funnel(report.rule_id, first_day, last_day),
        '<h2>Trend</h2>', nudge.report_trend(report.rule_id, first_day, last_day),
        '<h2>Hours of sending</h2><p class="lead">Open rate by the user''s clock, of all that was ever counted</p>', nudge.report_hours(report.rule_id),
        '<h2>Channels</h2>', nudge.report_channels(report.rule_id, first_day, last_day),
        '<h2>Variants</h2><p class="lead">Of all that was ever counted</p>', nudge.report_variants(report.rule_id),
        '<h2>Attribution</h2><p class="lead">Of all that was ever counted</p>', nudge.report_attribution(report.rule_id),
        CASE WHEN report.rule_id IS NULL THEN '<h2>Rules</h2>' || nudge.report_rules(first_day, last_day)
             ELSE '<h2>What could be better</h2>' || nudge.report_advice(report.rule_id, first_day, last_day) END,
        '</body></html>');
END
$$;
COMMENT ON FUNCTION nudge.report(bigint, interval) IS
    'A report on a rule (NULL: all) as one HTML page without anything from outside: psql -Atc "SELECT nudge.report()" > report.html';

REVOKE ALL ON FUNCTION nudge.html_escape(text), nudge.html_percent(float8), nudge.svg_bars(text, text[], float8[], text[]),
    nudge.svg_trend(text, date[], float8[], text, text), nudge.svg_heat_map(text, integer[], integer[], float8[], text[]),
    nudge.report_style(), nudge.html_table(text[], jsonb), nudge.report_tiles(bigint, date, date), nudge.report_funnel(bigint, date, date),
    nudge.report_trend(bigint, date, date), nudge.report_hours(bigint), nudge.report_channels(bigint, date, date), nudge.report_variants(bigint),
    nudge.report_attribution(bigint), nudge.report_rules(date, date), nudge.report_advice(bigint, date, date), nudge.report(bigint, interval) FROM PUBLIC;
INSERT INTO nudge.access_rights (access, kind, object, privileges) VALUES
    ('marketer', 'routine', 'report', 'EXECUTE'),
    ('analyst', 'routine', 'report', 'EXECUTE');
