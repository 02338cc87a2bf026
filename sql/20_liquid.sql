-- Liquid templates.

CREATE FUNCTION nudge.render_template(template text, context jsonb,
                                      autoescape boolean DEFAULT false)
RETURNS text
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'nudge_render_template';

COMMENT ON FUNCTION nudge.render_template(text, jsonb, boolean) IS
'Renders a Liquid template over a JSON object; with autoescape, what comes from the object is made safe for HTML';

CREATE FUNCTION nudge.check_template(template text)
RETURNS void
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'nudge_check_template';

COMMENT ON FUNCTION nudge.check_template(text) IS
'Raises a syntax error, with its line and column, where a Liquid template has one';
