# Makes actions out of the shop's events: make_actions.pl EVENTS.csv ROWS
#
# Prints CSV with the columns user_id, action_type, action_data, context,
# session_id, source, occurred_at.  The events are gone through again and again;
# in each round users, products and sessions get other numbers, so that there are
# many of each, as in a shop.  The same arguments give the same rows.
#
# Of each 20 rows, one carries "/spring-sale/" in its page_url: rules that look
# for this fire for 5 % of the rows.

use strict;
use warnings;

my ($file, $rows) = @ARGV;
die "usage: make_actions.pl EVENTS.csv ROWS\n" unless defined $rows && $rows =~ /^\d+$/;

my %type = (view => 'page_visit', cart => 'cart_abandonment', purchase => 'purchase');

open my $handle, '<', $file or die "cannot read $file: $!\n";
my @events;
<$handle>;
while (<$handle>)
{
	chomp;
	push @events, [ split /,/, $_, -1 ];
}
close $handle;

sub quoted
{
	my ($text) = @_;
	$text =~ s/"/""/g;
	return "\"$text\"";
}

for my $row (0 .. $rows - 1)
{
	my $round = int($row / @events);
	my ($time, $event, $product, $category_id, $category, $brand, $price, $user, $session) =
	  @{ $events[ $row % @events ] };

	# Odd multipliers spread the rounds' numbers; products of a shop are fewer than its users.
	$product += $round * 7919 % 50021;
	$user += $round * 104729;
	$session = sprintf '%08x%s', (hex(substr $session, 0, 8) + $round * 2654435761) & 0xffffffff,
	  substr $session, 8;

	my $path = $category =~ tr{.}{/}r;
	$path = "c$category_id" if $path eq '';
	my $url = ($row % 20 == 7 ? '/spring-sale' : '') . "/products/$path/$product";
	$time =~ s/ UTC$/Z/;
	$time =~ s/ /T/;

	my $data = qq({"page_url": "$url", "product_id": "$product", "category": "$category", )
	  . qq("brand": "$brand", "price": $price, "currency": "USD"});
	my $context = qq({"device": "@{[ $row % 3 ? 'mobile' : 'desktop' ]}", "locale": "en", "event_time": "$time"});

	print join(',', $user, $type{$event}, quoted($data), quoted($context), $session, 'web', $time), "\n";
}
