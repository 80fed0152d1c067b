#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Writes a tiny MMDB geo database for tests.
#
#   make_mmdb.pl [--layout nested|flat|none] [--ip-version 4|6] OUTPUT NETWORK=CC[/ASN]...
#
# nested: MaxMind's, {country: {iso_code: "DE"}}; flat: ip-location-db's, {country_code: "DE"}; none: without a country,
# as in a database of networks' owners. Networks are IPv4 or IPv6; IPv4 ones stand in an IPv6 tree at ::/96.
# Example: make_mmdb.pl --layout flat geo.mmdb 192.0.2.0/24=DE 2001:db8::/32=FR
use strict;
use warnings;

use Getopt::Long;
use MaxMind::DB::Writer::Tree;

my $layout     = 'nested';
my $ip_version = 6;
GetOptions( 'layout=s' => \$layout, 'ip-version=i' => \$ip_version ) or exit 2;
my $output = shift @ARGV;
if ( !defined $output || !@ARGV || $layout !~ /^(nested|flat|none)$/ || $ip_version !~ /^[46]$/ ) {
    print STDERR "usage: $0 [--layout nested|flat|none] [--ip-version 4|6] OUTPUT NETWORK=CC...\n";
    exit 2;
}

my %types = (
    country                        => 'map',
    iso_code                       => 'utf8_string',
    country_code                   => 'utf8_string',
    autonomous_system_organization => 'utf8_string',
    autonomous_system_number       => 'uint32',
);
my $tree = MaxMind::DB::Writer::Tree->new(
    ip_version    => $ip_version,
    record_size   => 24,
    database_type => 'Headgate-Test-Country',
    languages     => ['en'],
    description   => { en => 'a few networks for tests' },
    # Documentation networks (192.0.2.0/24 and others) are what tests use.
    remove_reserved_networks => 0,
    map_key_type_callback    => sub { $types{ $_[0] } },
);

for my $entry (@ARGV) {
    my ( $network, $code, $asn ) = $entry =~ m{^([0-9a-fA-F:./]+)=(\w+)(?:/(\d+))?$}
        or die "$0: $entry is not NETWORK=CC[/ASN]\n";
    my $record
        = $layout eq 'nested' ? { country => { iso_code => $code } }
        : $layout eq 'flat'   ? { country_code => $code }
        :                       { autonomous_system_organization => $code };
    $record->{autonomous_system_number} = $asn if defined $asn;
    $tree->insert_network( $network, $record );
}

open my $file, '>:raw', $output or die "$0: $output: $!\n";
$tree->write_tree($file);
close $file or die "$0: $output: $!\n";
