#!/usr/bin/env bash
# A router passes the packet on and makes a new frame for it: other MAC addresses, one TTL less.
source "$(dirname "$0")/../common.sh"

network
subnet here 10.77.1.0/24
subnet there 10.77.2.0/24
launch one "$here"
launch far "$there"
router_here=$(gureum segment "$here" --json | grep -A 1 '"interface": "router"' | grep -o '..:..:..:..:..:..')
router_there=$(gureum segment "$there" --json | grep -A 1 '"interface": "router"' | grep -o '..:..:..:..:..:..')

say "A ping from one to far, in the other subnet, as it leaves and as it arrives:"
hear leaves "$one" 'icmp[icmptype] == icmp-echo'
hear arrives "$far" 'icmp[icmptype] == icmp-echo'
show on "$one" ping -c 1 "$far_ip"
enough "$one" "$far"
cat "$notes/leaves" "$notes/arrives"

say "Layer 2 is made anew:"
holds "it left from one's MAC address to the router's" heard leaves "$one_mac > $router_here"
holds "it arrived from the router's to far's" heard arrives "$router_there > $far_mac"
holds "the router has an address of its own on each side" test "$router_here" != "$router_there"

say "Layer 3 goes through:"
holds "sender and receiver were the same on both sides" \
  test "$(times leaves "$one_ip > $far_ip") $(times arrives "$one_ip > $far_ip")" = "1 1"
holds "it left with a TTL of 64" heard leaves "ttl 64"
holds "it arrived with 63: one router was on the way" heard arrives "ttl 63"
