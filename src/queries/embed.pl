# Prints a C header with one string constant for each SQL file named on the
# command line: due.sql becomes query_due.  Comment lines stay in the file.
use strict;
use warnings;

print "/* Made from the files in src/queries by src/queries/embed.pl. */\n";
for my $file (@ARGV)
{
	my ($name) = $file =~ m{([a-z_]+)\.sql$} or die "odd file name $file";
	open my $in, '<', $file or die "$file: $!";
	print "\nstatic const char *const query_$name __attribute__((unused)) =\n";
	while (my $line = <$in>)
	{
		chomp $line;
		next if $line =~ /^\s*--/ || $line =~ /^\s*$/;
		$line =~ s/(["\\])/\\$1/g;
		print "\t\"$line\\n\"\n";
	}
	print "\t;\n";
	close $in;
}
