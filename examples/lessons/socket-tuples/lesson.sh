#!/usr/bin/env bash
# One port serves many: a connection is known by both addresses and both ports, not by the port.
source "$(dirname "$0")/../common.sh"

network
subnet room 10.77.1.0/24
for name in one two server; do launch "$name" "$room"; done

say "server listens on port 8080; one calls it three times and two twice, and all stay on the line:"
on "$server" timeout 600 python3 -c '
import socket
door = socket.create_server(("", 8080))
calls = []
while True:
    calls.append(door.accept())' &
eventually sh -c "gureum table socket $server | grep -w 8080"
call='
import socket, sys, time
calls = [socket.create_connection((sys.argv[1], 8080)) for _ in range(int(sys.argv[2]))]
time.sleep(600)'
on "$one" python3 -c "$call" "$server_ip" 3 &
on "$two" python3 -c "$call" "$server_ip" 2 &
talking() { test "$(gureum table socket "$server" | grep -w 8080 | grep -c established)" = 5; }
eventually talking
show gureum table socket "$server"
gureum table socket "$server" | grep -w 8080 >"$notes/sockets" || true
tuples=$(grep established "$notes/sockets" | awk '{print $2, $3, $4, $5}' | sort -u | wc -l)
holds "one socket listens" test "$(grep -c listen "$notes/sockets")" = 1
holds "five are connected, all of them at port 8080" talking
holds "no two have the same four: address and port here, address and port there" test "$tuples" = 5
for each in "$one" "$two" "$server"; do on "$each" pkill python3 || true; done
wait
