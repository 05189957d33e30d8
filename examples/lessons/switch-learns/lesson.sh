#!/usr/bin/env bash
# A switch floods a frame to a station that it does not know, and learns from every sender.
source "$(dirname "$0")/../common.sh"

network
subnet room 10.77.1.0/24
for name in one two third; do launch "$name" "$room"; done

say "A switch that has heard nobody yet:"
gureum segment "$room" switch >/dev/null
# one is told where two is, since asking (ARP) would already teach the switch
on "$one" ip neigh replace "$two_ip" lladdr "$two_mac" dev eth0
gureum segment "$room" fabric >/dev/null && gureum segment "$room" switch >/dev/null
show gureum table mac "$room"

say "one sends three pings to two, and third listens:"
hear third "$third" icmp
show on "$one" ping -c 3 -i 0.3 "$two_ip"
enough "$third"
cat "$notes/third"
holds "third heard the first ping: nobody knew where two is" test "$(times third 'seq 1,')" = 1
holds "third heard no other: two's answer has told the switch" test "$(times third 'echo re')" = 1

say "What the switch has learned:"
show gureum table mac "$room"
gureum table mac "$room" --json >"$notes/table"
holds "one is behind its port" grep -q "$one_mac" "$notes/table"
holds "two is behind its port" grep -q "$two_mac" "$notes/table"
