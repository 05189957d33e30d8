#!/bin/sh
# The first program of an instance, run by its init (tini) at every start.  It belongs to the host
# and is read-only here; what it needs to know lies in $SEED.  It is written for both BusyBox and
# dash.  Everything it prints is on the console.

SEED=/run/gureum/seed
STATE=/var/lib/gureum

say() { echo "gureum: $*"; }

# Put a file of the seed in /etc, over whatever is there by now.
put() {
    cp "$SEED/$1" "/etc/$1.gureum" && mv -f "/etc/$1.gureum" "/etc/$1"
}

# Public keys go where ssh looks for them; what the user put there meanwhile stays.
authorize() { # user, home
    [ -d "$2" ] || return 0
    mkdir -p "$2/.ssh"
    touch "$2/.ssh/authorized_keys"
    while read -r key; do
        grep -qxF "$key" "$2/.ssh/authorized_keys" || echo "$key" >>"$2/.ssh/authorized_keys"
    done <"$SEED/authorized_keys"
    chmod 700 "$2/.ssh"
    chmod 600 "$2/.ssh/authorized_keys"
    chown -R "$1:$1" "$2/.ssh"
}

start_ssh() {
    if [ -x /usr/sbin/sshd ]; then
        mkdir -p /run/sshd
        [ -e /etc/ssh/ssh_host_ed25519_key ] ||
            ssh-keygen -q -t ed25519 -N '' -C "root@$(hostname)" -f /etc/ssh/ssh_host_ed25519_key
        /usr/sbin/sshd -o HostKey=/etc/ssh/ssh_host_ed25519_key
        ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub
    elif [ -x /usr/bin/dropbear ]; then
        key=/etc/dropbear/dropbear_ed25519_host_key
        [ -e "$key" ] || dropbearkey -t ed25519 -f "$key" >/dev/null 2>&1
        dropbear -r "$key" -s -P /run/dropbear.pid
    fi
}

# Once in the life of the instance, as cloud-init does.
user_data() {
    id=$(cat "$SEED/id")
    done="$STATE/user-data.$id"
    [ -e "$SEED/user-data" ] && [ ! -e "$done" ] || return 0
    mkdir -p "$STATE"
    : >"$done"
    case $(head -c 2 "$SEED/user-data") in
    '#!')
        cp "$SEED/user-data" "$STATE/script" && chmod 700 "$STATE/script"
        say "user data: running"
        (cd / && exec "$STATE/script")
        say "user data: exit status $?"
        ;;
    *) say "user data: only scripts that begin with #! are run here; this is none" ;;
    esac
}

# End the other processes kindly, for at most a second, then ourselves; init ends with us, and with
# init everything that is left.
stop() {
    trap '' TERM INT USR1 USR2
    say "stopping"
    kill -TERM -1 2>/dev/null
    tries=0
    # Two directories remain: init's and our own; sleep(1) would be a third.
    while set -- /proc/[0-9]*; [ $# -gt 2 ] && [ $tries -lt 20 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    say "stopped"
    exit 0
}

# Where clients look for a container engine; the folder outlives the socket, which is made anew with
# the daemon.
offer_docker() {
    ln -sf /run/gureum/docker/docker.sock /run/docker.sock
    [ -L /var/run ] || { mkdir -p /var/run && ln -sf /run/docker.sock /var/run/docker.sock; }
}

begin() {
    offer_docker
    put hostname
    put hosts
    put resolv.conf
    authorize root /root
    authorize admin /home/admin
    start_ssh
    say "$(cat "$SEED/id") is up, boot $(cat "$SEED/boot")"
    user_data
    # What is to start at every boot stands where administrators have always put it.
    [ ! -x /etc/rc.local ] || (cd / && exec /etc/rc.local)
}

# A shell handles a signal between two commands, and at once only while it waits; so this one does
# nothing but wait.
trap stop TERM INT USR1 USR2 # the latter two: halt(8) and poweroff(8), as BusyBox tells its init
umask 022
begin &
while :; do
    sleep 2147483647 &
    wait $!
done
