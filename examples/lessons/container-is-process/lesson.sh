#!/usr/bin/env bash
# An instance is a process of this machine's kernel, with a view and limits of its own.
source "$(dirname "$0")/../common.sh"

# memory_of PID: the folder of the control group that limits a process's memory (cgroups(7)).
memory_of() {
  local path
  path=$(sed -n 's/^[0-9]*:memory://p' "/proc/$1/cgroup") # version 1
  if [[ -n $path ]]; then echo "/sys/fs/cgroup/memory$path"; return; fi
  echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$1/cgroup")"
}

network
subnet room 10.77.1.0/24
for name in box other; do launch "$name" "$room"; done
folder=$(gureum status --json | sed -n 's/^  "state": "\(.*\)",$/\1/p')/instances
first=$(cat "$folder/$box/pid") # what the instance calls process 1

say "A program in box, as box sees it and as this machine does:"
on "$box" sleep 271828 &
eventually on "$box" pgrep -f '^sleep 271828'
within=$(on "$box" pgrep -f '^sleep 271828')
space=$(readlink "/proc/$first/ns/pid" | tr -dc 0-9)
outside=$(ps -eo pidns,pid,args | awk -v s="$space" '$1 == s && $3 $4 == "sleep271828" { print $2 }')
show on "$box" ps -o pid,args -p "$within"
show ps -o pid,args -p "$outside"
show grep NSpid "/proc/$outside/status"
holds "one process with two numbers: $outside here, $within in box" \
  grep -qP "NSpid:\t(\d+\t)*$outside\t(\d+\t)*$within$" "/proc/$outside/status"
holds "box counts from 1, which is $first here" grep -qP "NSpid:.*\b$first\b.*\t1$" "/proc/$first/status"
holds "box does not see the processes of this machine" no on "$box" test -e "/proc/$outside"
kill "$outside"
holds "killed here, it is gone there" eventually no on "$box" pgrep -f '^sleep 271828'
wait || true

say "One kernel, and seven kinds of things that box has its own of:"
holds "the kernel is the same" test "$(uname -rv)" = "$(on "$box" uname -rv)"
for kind in cgroup ipc mnt net pid user uts; do
  here=$(readlink /proc/self/ns/$kind) there=$(readlink "/proc/$first/ns/$kind")
  holds "$kind: ${here//[!0-9]/} here, ${there//[!0-9]/} in box" test "$here" != "$there"
done

say "The disk: an image that nobody changes, and over it what box has written:"
disk=$(grep ' / / ' "/proc/$first/mountinfo")
[[ $disk =~ lowerdir=([^,]+),upperdir=([^,]+) ]]
image=${BASH_REMATCH[1]} upper=${BASH_REMATCH[2]}
printf 'lower %s\nupper %s\n' "$image" "$upper"
on "$box" sh -c 'echo hello >/etc/greeting; echo mine >/etc/issue; rm /etc/debian_version'
holds "a new file is in the upper layer" grep -qx hello "$upper/etc/greeting"
holds "and not in the image" no test -e "$image/etc/greeting"
holds "a changed file was copied up" grep -qx mine "$upper/etc/issue"
holds "and is in the image as it was" no grep -qx mine "$image/etc/issue"
holds "a removed file is a mark in the upper layer" test -c "$upper/etc/debian_version"
holds "and is still in the image" test -s "$image/etc/debian_version"
holds "other has the same image" grep -q " / / .*lowerdir=$image," "/proc/$(cat "$folder/$other/pid")/mountinfo"
holds "and saw nothing of it" on "$other" sh -c 'test ! -e /etc/greeting -a -e /etc/debian_version'

say "The limits: box is a t3.nano, which has 512 MiB"
limits=$(memory_of "$first")
limit=$(find "$limits" -name memory.max -o -name memory.limit_in_bytes) # version 2, version 1
show cat "$limit"
holds "the kernel knows: $((512 << 20)) bytes" grep -qx $((512 << 20)) "$limit"
status=0
on "$box" python3 -c 'print(len(b"x" * (1 << 30)))' >"$notes/greedy" 2>&1 || status=$?
holds "a program that takes 1 GiB is killed (status $status: signal 9)" test "$status" = 137
holds "by the kernel, for the sake of that limit" grep -qsE '^oom_kill [1-9]' "$limits"/memory.{events,oom_control}
holds "box lives on" on "$box" true

say "The network: a cable with two ends, one in box and one in the router"
near=$(on "$box" cat /sys/class/net/eth0/ifindex) far=$(on "$box" cat /sys/class/net/eth0/iflink)
show on "$box" ip link show eth0
show gureum exec "$vpc" -- ip -o link >"$notes/router"
grep "^$far: " "$notes/router" >"$notes/end"
cat "$notes/end"
holds "eth0 is number $near in box, and its other end number $far in the router" \
  grep -q "@if$near: " "$notes/end"
port=$(sed -n 's/^[0-9]*: \(.*\)@if.*/\1/p' "$notes/end")
on "$box" ping -c 3 -i 0.2 "$other_ip" >/dev/null
# same: what went in at the one end has come out of the other
same() {
  test "$(on "$box" cat /sys/class/net/eth0/statistics/tx_packets)" = \
    "$(gureum exec "$vpc" -- ip -s link show "$port" | awk '/RX:/ { getline; print $2 }')"
}
holds "what box has sent, the router's end has received, to the packet" eventually same
