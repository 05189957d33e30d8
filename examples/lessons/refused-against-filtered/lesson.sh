#!/usr/bin/env bash
# Refused, filtered, open: three things that a connection can meet, and who it was that decided.
source "$(dirname "$0")/../common.sh"

network
subnet room 10.77.1.0/24
door=$(aws ec2 create-security-group --vpc-id "$vpc" --group-name door --description door \
  --query GroupId --output text)
undo=("${undo[0]}" "aws ec2 delete-security-group --group-id $door" "${undo[@]:1}")
aws ec2 authorize-security-group-ingress --group-id "$door" --protocol tcp --port 8080 \
  --cidr 10.77.0.0/16 >/dev/null
launch client "$room"
launch server "$room" "$door"

# meets STATE PORT: what a connection from client to that port of server meets.
meets() {
  gureum port "$client" "$server" "$2" >"$notes/met" || true
  cat "$notes/met"
  grep -q "  $1  " "$notes/met"
}

say "The group admits port 8080, and no program listens there:"
holds "refused: the packet arrived, and the server's kernel said no" meets refused 8080

say "A program begins to listen:"
on "$server" timeout 600 nc -lk -p 8080 >/dev/null &
eventually sh -c "gureum table socket $server | grep -w 8080"
holds "open: the program's kernel has taken the connection" meets open 8080

say "Port 9090, which the group does not admit; the program listens there, too:"
on "$server" timeout 600 nc -lk -p 9090 >/dev/null &
eventually sh -c "gureum table socket $server | grep -w 9090"
holds "filtered: the packet was dropped on the way, nobody said anything" meets filtered 9090
on "$server" pkill nc || true
wait
