#!/usr/bin/env bash
# A hub repeats every frame to everybody, so a third station reads what two say to each other.
source "$(dirname "$0")/../common.sh"

network
subnet room 10.77.1.0/24
for name in one two third; do launch "$name" "$room"; done

# tell SECRET: one sends it to two over TCP, and two has got it; third listens meanwhile.
tell() {
  on "$two" timeout 20 nc -l -p 8080 >"$notes/received" &
  eventually sh -c "gureum table socket $two | grep -w 8080"
  hear third "$third" -A tcp port 8080
  on "$one" sh -c "echo $1 | nc -N -w 5 $two_ip 8080"
  enough "$third"
  holds "two was told $1" grep -q "$1" "$notes/received"
}

say "At a hub:"
gureum segment "$room" hub >/dev/null
tell open-sesame
grep -aB 4 open-sesame "$notes/third" || true
holds "third has read it" heard third open-sesame

say "At a switch:"
gureum segment "$room" switch >/dev/null
tell swordfish
holds "third has not: the switch knows by then where two is" no heard third swordfish

say "In a subnet of a cloud:"
gureum segment "$room" fabric >/dev/null
tell abracadabra
holds "third has heard nothing at all" no heard third "ethertype"
