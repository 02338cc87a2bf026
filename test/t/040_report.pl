# A report in a real browser: it is a whole page, asks for nothing from outside, shows
# what the tables hold, keeps its texts within its charts, and can be read in light and in dark.

use strict;
use warnings;

use IPC::Run qw(run timeout);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($browser) = grep { -x } map { "$_/chromium" } split /:/, $ENV{PATH} . ':/usr/bin';
plan skip_all => 'chromium is not installed' if !defined $browser;

my $node = PostgreSQL::Test::Cluster->new('report');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION pg_nudge');

# The messages of a month, and a rule whose name is no HTML
$node->safe_psql('postgres', <<'SQL');
INSERT INTO nudge.users (user_id) SELECT 'u' || n FROM generate_series(1, 100) AS n;
INSERT INTO nudge.rules (name, trigger_type)
VALUES ('Cart & "reminder" <script>alert(1)</script>', 'behavioral'), ('A name that is by far too long to be written beside a bar', 'behavioral');
INSERT INTO nudge.messages (user_id, rule_id, channel, recipient, template_id, variant, segments, priority, created_at, due_at, week_before)
SELECT 'u' || 1 + n % 100, 1 + n % 2, (ARRAY['email', 'sms', 'push'])[1 + n % 3], 'secret@example.com', 't', (ARRAY['A', 'B', NULL])[1 + n % 3], '{gold}', 'normal',
       now() - n * interval '31 min', now() - n * interval '31 min', n % 6
FROM generate_series(1, 1300) AS n;
INSERT INTO nudge.events (user_id, event_type, rule_id, pending_id, message_id, occurred_at, recorded_at, event_key)
SELECT m.user_id, e.type, m.rule_id, m.message_id, m.message_id, m.created_at + e.after, m.created_at + e.after, e.key
FROM nudge.messages m
JOIN (VALUES ('scheduled', NULL, 1, interval '0'), ('sent', NULL, 1, '1 min'), ('delivered', 'k', 1, '2 min'), ('opened', 'k', 3, '1 hour'), ('clicked', 'k', 9, '2 hours'))
    AS e (type, key, each, after) ON m.message_id % e.each = 0;
UPDATE nudge.events SET message_id = NULL WHERE event_type = 'scheduled';
INSERT INTO nudge.conversions (user_id, value, occurred_at, recorded_at)
SELECT 'u' || n, 12345678.90, now() - n * interval '3 hours', now() - n * interval '3 hours' FROM generate_series(1, 100) AS n;
SQL

# What the browser is to find out; put into a copy of the page, which allows no scripts
my $script = <<'JS';
<script>
function rgb(color) { return color.match(/[\d.]+/g).slice(0, 3).map(Number); }
function luminance(color) {
  const [r, g, b] = rgb(color).map(c => { c /= 255; return c <= 0.03928 ? c / 12.92 : Math.pow((c + 0.055) / 1.055, 2.4); });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(a, b) { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); }
window.addEventListener('load', () => {
  const found = { dark: matchMedia('(prefers-color-scheme: dark)').matches, ground: getComputedStyle(document.body).backgroundColor };
  found.requests = performance.getEntriesByType('resource').length;
  found.scripts = document.scripts.length;
  found.charts = document.querySelectorAll('svg[role=img] > title').length;
  found.bars = document.querySelectorAll('rect.bar').length;
  found.heat = document.querySelectorAll('rect.heat').length;
  found.points = document.querySelectorAll('circle.one').length;
  found.heading = document.querySelector('h1').textContent;
  found.sent = document.querySelector('.tile b').textContent;
  found.outside = [...document.querySelectorAll('svg')].flatMap(svg => {
    const view = svg.viewBox.baseVal;
    return [...svg.querySelectorAll('text')].filter(t => {
      const box = t.getBBox();
      return box.x < view.x || box.y < view.y || box.x + box.width > view.x + view.width + 0.5 || box.y + box.height > view.y + view.height + 4;
    }).map(t => t.textContent);
  });
  found.faintest = Math.min(...[...document.querySelectorAll('h1, h2, h3, p, th, td, b, span, li')].map(e => {
    const tile = e.closest('.tile');
    return contrast(getComputedStyle(e).color, getComputedStyle(tile || document.body).backgroundColor);
  }), ...[...document.querySelectorAll('svg text')].map(t => contrast(getComputedStyle(t).fill, getComputedStyle(t.closest('svg')).backgroundColor)),
     ...[...document.querySelectorAll('rect.bar')].map(t => 1.5 * contrast(getComputedStyle(t).fill, getComputedStyle(t.closest('svg')).backgroundColor)));
  document.body.innerHTML = '';
  document.body.textContent = 'FOUND' + JSON.stringify(found) + 'END';
});
</script>
JS

my $dir = PostgreSQL::Test::Utils::tempdir;

sub look
{
	my ($page, $scheme) = @_;
	my ($out, $err);
	run([ $browser, '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', "--user-data-dir=$dir/profile", "--blink-settings=preferredColorScheme=$scheme",
			'--virtual-time-budget=10000', '--dump-dom', "file://$page" ], '<', \undef, '>', \$out, '2>', \$err, timeout(180));
	my ($json) = $out =~ /FOUND(.*)END/s or diag($err);
	my %character = (lt => '<', gt => '>', amp => '&');
	$json =~ s/&(lt|gt|amp);/$character{$1}/g if defined $json;
	return $json;
}

my $json_to_text = 'SELECT key, value FROM jsonb_each_text($json$%s$json$) ORDER BY key COLLATE "C"';

foreach my $report ([ 'all', 'nudge.report()' ], [ 'one', "nudge.report(1, '14 days')" ])
{
	my ($name, $call) = @$report;
	my $html = $node->safe_psql('postgres', "SELECT $call");
	unlike($html, qr/secret\@example/, "$name: no addresses");
	unlike($html, qr{(?:src|href)\s*=|\@import|url\(}i, "$name: nothing from outside");
	like($html, qr/default-src 'none'/, "$name: nothing is allowed either");
	unlike($html, qr/<script/i, "$name: no scripts");

	(my $copy = $html) =~ s{<meta http-equiv="Content-Security-Policy"[^>]*>}{};
	$copy =~ s{</body>}{$script</body>};
	PostgreSQL::Test::Utils::append_to_file("$dir/$name.html", $copy);
	foreach my $scheme ([ 'dark', 0 ], [ 'light', 1 ])
	{
		my $json = look("$dir/$name.html", $scheme->[1]);
		ok(defined $json, "$name, $scheme->[0]: the browser shows it") or next;
		my %found = map { split /\|/, $_, 2 } split /\n/, $node->safe_psql('postgres', sprintf($json_to_text, $json));
		is($found{dark}, $scheme->[0] eq 'dark' ? 'true' : 'false', "$name, $scheme->[0]: the colours that were asked for");
		is($found{ground}, $scheme->[0] eq 'dark' ? 'rgb(18, 22, 27)' : 'rgb(255, 255, 255)', "$name, $scheme->[0]: the ground");
		cmp_ok($found{faintest}, '>=', 4.5, "$name, $scheme->[0]: all text can be read");
		is($found{outside}, '[]', "$name, $scheme->[0]: all text is within its chart");
		is($found{requests}, '0', "$name, $scheme->[0]: no requests");
		is($found{scripts}, '1', "$name, $scheme->[0]: no script but that of the test");
		is($found{points}, $name eq 'all' ? '30' : '14', "$name, $scheme->[0]: a point for each day");
		cmp_ok($found{heat}, '>', 100, "$name, $scheme->[0]: hours of the week");
		cmp_ok($found{charts}, '>=', 6, "$name, $scheme->[0]: charts");
		is($found{heading}, $name eq 'all' ? 'All rules' : 'Cart & "reminder" <script>alert(1)</script>', "$name, $scheme->[0]: the heading, as it is");
		is($found{sent}, $node->safe_psql('postgres', $name eq 'all' ? q{SELECT sum(sent) FROM nudge.rule_performance_daily WHERE day > (now() AT TIME ZONE 'UTC')::date - 30}
				: q{SELECT sum(sent) FROM nudge.rule_performance_daily WHERE rule_id = 1 AND day > (now() AT TIME ZONE 'UTC')::date - 14}),
			"$name, $scheme->[0]: what was sent");
	}
}

$node->stop;
done_testing();
