# Makes the seeds of the fuzzer: make_corpus.pl FOLDER FILE...
#
# Each case of the files (see test/sql/liquid.sql) becomes a file in the folder.
use strict;
use warnings;

my ($folder, @files) = @ARGV;
my $n = 0;

mkdir $folder;
for my $file (@files)
{
	open my $in, '<', $file or die "$file: $!";
	while (my $line = <$in>)
	{
		next if $line =~ /^#/;
		chomp $line;
		my ($template) = split /\t/, $line;
		my %escaped = (n => "\n", t => "\t", r => "\r", '\\' => '\\');
		$template =~ s/\\([ntr\\])/$escaped{$1}/g;
		# Variables of the cases become those that the fuzzer's context has.
		$template =~ s/\b(?:oa|na|sa|l|p)\b/a/g;
		$template =~ s/\b(?:s|h|e|w|num|missing)\b/x/g;
		$template =~ s/'(?:hello|card|outer|sets|counts)'/'b'/g;
		open my $out, '>', sprintf('%s/seed%05d', $folder, $n) or die $!;
		print $out chr($n % 16), $template, "\0", '2024-01-05 <b>"é" 1,2.5 &amp;';
		close $out;
		$n++;
	}
	close $in;
}
