# Prints the names of the types that the given C files define, for pgindent.
use strict;
use warnings;

my %types;
while (<>)
{
	$types{$1} = 1
	  if /^\} (\w+);/                              # end of a struct or enum
	  || /^typedef \w+ \w+ \**(\w+);/              # typedef struct A A;
	  || /^typedef [^(]*\(\*(\w+)\)/;              # pointer to a function
}
print map { "$_\n" } sort keys %types;
