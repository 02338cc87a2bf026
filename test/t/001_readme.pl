# Runs every SQL snippet of README.md, in order, in one database.
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

my $readme = "$FindBin::Bin/../../README.md";
my $dbname = 'app';

# Cuts a file into fenced blocks: [language, text, line, follows], where follows tells
# that only blank lines are between the block and the one before.
sub fenced_blocks
{
	my ($file) = @_;
	my (@blocks, $block, $fence, $indent);
	my $follows = 0;

	open my $handle, '<', $file or die "cannot read $file: $!";
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
				language => lc $3,
				text => '',
				line => $. + 1,
				follows => $follows
			};
		}
		elsif ($line =~ /\S/)
		{
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

my @blocks = eval { fenced_blocks($readme) };
is($@, '', 'README.md can be read and its blocks end');
my @snippets = grep { $_->{language} eq 'sql' } @blocks;
cmp_ok(scalar @snippets, '>', 0, 'README.md has SQL snippets');

my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init;
$node->append_conf('postgresql.conf', <<CONF);
shared_preload_libraries = 'pg_cron'
cron.database_name = '$dbname'
CONF
$node->append_conf('postgresql.conf', $_->{text})
  for grep { $_->{language} eq 'conf' } @blocks;
# Whatever the README says, pg_cron must find this server and this database.
$node->append_conf('postgresql.conf', <<CONF);
cron.host = '${\ $node->host}'
cron.database_name = '$dbname'
timezone = 'UTC'
CONF
$node->start;
$node->safe_psql('postgres', "CREATE DATABASE $dbname");

my $output = '';
foreach my $block (@blocks)
{
	if ($block->{language} eq 'sql')
	{
		my ($out, $err) = ('', '');
		my $good = run [
			'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1',
			'-d', $node->connstr($dbname), '-f', '-'
		  ],
		  '<', \$block->{text}, '>', \$out, '2>', \$err;
		$output = $out;
		ok($good, "README.md line $block->{line}: snippet runs")
		  or diag($block->{text}, $err);
	}
	elsif ($block->{language} eq 'text' && $block->{follows} && defined $output)
	{
		my $actual = tidy($output);
		like("$actual\n", expected_pattern($block->{text}),
			"README.md line $block->{line}: prints what it says");
	}
	# Only the block right after a snippet is its output.
	$output = undef if $block->{language} ne 'sql';
}

$node->stop('immediate');
done_testing();
