# Runs every SQL snippet of README.md, in order, in one database; and those of each
# page of docs/ in a database of its own, after the README's "Getting started".
#
# A snippet is a block fenced by ```sql.  Each is given to psql on its own and must
# run without an error.  Where a block fenced by ```text follows it, with nothing
# but blank lines in between, that must be what psql prints, but for the widths of
# columns.  In there a line that is just "..." stands for any number of lines, and
# "..." inside of a line for any text, since ids and times differ.
#
# Blocks fenced by ```conf are lines of postgresql.conf; they are appended to it
# before the server starts.

use strict;
use warnings;

use FindBin;
use IPC::Run qw(run);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = "$FindBin::Bin/../..";
my $dbname = 'app';

# Cuts a file into fenced blocks: file, section (of the second level), language, text,
# line, follows, where follows tells that only blank lines are between the block and
# the one before.
sub fenced_blocks
{
	my ($file) = @_;
	my (@blocks, $block, $fence, $indent);
	my $follows = 0;
	my $section = '';

	open my $handle, '<', "$root/$file" or die "cannot read $file: $!";
	while (my $line = <$handle>)
	{
		if (defined $block)
		{
			if ($line =~ /^\s*\Q$fence\E\s*$/)
			{
				push @blocks, $block;
				undef $block;
				$follows = 1;
				next;
			}
			$line =~ s/^\Q$indent\E//;
			$block->{text} .= $line;
		}
		elsif ($line =~ /^(\s*)(`{3,})\s*(\w*)/)
		{
			($indent, $fence) = ($1, $2);
			$block = {
				file => $file,
				section => $section,
				language => lc $3,
				text => '',
				line => $. + 1,
				follows => $follows
			};
		}
		elsif ($line =~ /\S/)
		{
			$section = $1 if $line =~ /^##\s+(.*\S)/;
			$follows = 0;
		}
	}
	close $handle;
	die "$file: a block that begins in line $block->{line} never ends" if defined $block;
	return @blocks;
}

# The lines of a text, without what shows the widths of columns, and without blank
# lines at both ends
sub tidy
{
	my ($text) = @_;
	$text =~ s/[ \t\r]+/ /g;
	$text =~ s/^ | $//mg;
	$text =~ s/-{2,}/--/g;
	$text =~ s/\A\n+//;
	$text =~ s/\n+\z//;
	return $text;
}

# A regular expression for what an expected text allows
sub expected_pattern
{
	my ($text) = @_;
	my @lines = map {
		$_ eq '...' ? '(?:[^\n]*\n)*' : join('[^\n]*', map { quotemeta } split /\.\.\.|\x{e2}\x{80}\x{a6}/, $_, -1) . "\n";
	} split /\n/, tidy($text);
	my $pattern = join '', @lines;
	return qr/\A$pattern\z/;
}

# Blocks of a file, which must have SQL snippets
sub blocks_of
{
	my ($file) = @_;
	my @blocks = eval { fenced_blocks($file) };
	is($@, '', "$file can be read and its blocks end");
	cmp_ok(scalar(grep { $_->{language} eq 'sql' } @blocks),
		'>', 0, "$file has SQL snippets");
	return @blocks;
}

my @readme = blocks_of('README.md');

my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init;
$node->append_conf('postgresql.conf', <<CONF);
shared_preload_libraries = 'pg_cron'
cron.database_name = '$dbname'
CONF
$node->append_conf('postgresql.conf', $_->{text})
  for grep { $_->{language} eq 'conf' } @readme;
# Whatever the README says, pg_cron must find this server and this database.
$node->append_conf('postgresql.conf', <<CONF);
cron.host = '${\ $node->host}'
cron.database_name = '$dbname'
timezone = 'UTC'
CONF
$node->start;
$node->safe_psql('postgres', "CREATE DATABASE $dbname");

# Runs the snippets among blocks in a database, and compares what they print.
sub run_snippets
{
	my ($database, @blocks) = @_;
	my $output;

	foreach my $block (@blocks)
	{
		my $where = "$block->{file} line $block->{line}";
		if ($block->{language} eq 'sql')
		{
			my ($out, $err) = ('', '');
			my $good = run [
				'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1',
				'-d', $node->connstr($database), '-f', '-'
			  ],
			  '<', \$block->{text}, '>', \$out, '2>', \$err;
			$output = $out;
			ok($good, "$where: snippet runs") or diag($block->{text}, $err);
		}
		elsif ($block->{language} eq 'text' && $block->{follows} && defined $output)
		{
			my $actual = tidy($output);
			like("$actual\n", expected_pattern($block->{text}),
				"$where: prints what it says");
		}
		# Only the block right after a snippet is its output.
		$output = undef if $block->{language} ne 'sql';
	}
}

run_snippets($dbname, @readme);

my @start = grep { $_->{section} eq 'Getting started' && $_->{language} eq 'sql' } @readme;
cmp_ok(scalar @start, '>', 0, 'README.md gets one started');

foreach my $page (sort glob "$root/docs/*.md")
{
	my ($name) = $page =~ m{([^/]+)\.md$};

	# These have none.
	next if $name eq 'internals' || $name eq 'templates';
	my @blocks = blocks_of("docs/$name.md");
	$node->safe_psql('postgres', "CREATE DATABASE docs_$name");
	$node->safe_psql("docs_$name", "CREATE EXTENSION pg_nudge");
	$node->safe_psql("docs_$name", $_->{text}) for @start;
	run_snippets("docs_$name", @blocks);
}

$node->stop('immediate');
done_testing();
