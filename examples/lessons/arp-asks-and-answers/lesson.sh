#!/usr/bin/env bash
# ARP asks everybody and is answered to the asker alone; beyond the subnet it asks for the router.
source "$(dirname "$0")/../common.sh"

network
subnet room 10.77.1.0/24
for name in one two third; do launch "$name" "$room"; done
gureum segment "$room" switch >/dev/null

say "one has forgotten everybody, and sends a ping to two:"
on "$one" ip neigh flush all
hear one "$one" arp
hear third "$third" arp
show on "$one" ping -c 1 "$two_ip"
enough "$one" "$third"
cat "$notes/one"
holds "one asked who has two's address" heard one "who-has $two_ip tell $one_ip"
holds "the question went to everybody: third heard it" heard third "who-has $two_ip tell $one_ip"
holds "two's answer came to one" heard one "$two_ip is-at $two_mac"
holds "and to nobody else: third did not hear it" no heard third "$two_ip is-at"

say "What one knows now:"
show gureum table arp "$one"
on "$one" ip neigh >"$notes/neighbours"
holds "two's address belongs to $two_mac" grep -q "$two_ip.*$two_mac" "$notes/neighbours"

say "A ping to an address outside of the subnet (nobody will answer):"
on "$one" ip neigh flush all
hear one "$one" arp
on "$one" ping -c 1 -W 1 198.19.0.20 || true
enough "$one"
cat "$notes/one"
holds "one asked for the router" heard one "who-has 10.77.1.1 tell $one_ip"
holds "not for the address it sends to" no heard one "who-has 198.19.0.20"
