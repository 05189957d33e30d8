"""Copies trees that somebody hostile may be changing at the same moment.

``cp`` goes by names: a folder that becomes a link while it is copied would lead it anywhere on the
machine.  So it runs in a mount namespace and a root of its own, in which there is nothing but the
tree, the place of the copy, and the programs of the system, which are nobody's secret.
"""

import subprocess

_ALONE = """
set -e
from=$1 part=$2 to=$3 name=$4
exec 3<"$from" 4<"$to"
mount -t tmpfs -o size=1m,mode=0755 tmpfs /tmp
cd /tmp
mkdir from to
for folder in usr bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$folder" ]; then
        cp -P "/$folder" .
    elif [ -d "/$folder" ]; then
        mkdir "$folder"
        mount --bind "/$folder" "$folder"
        mount -o remount,bind,ro "$folder"
    fi
done
# The links of /proc lead to the folders that are open, even if they are below the /tmp of before.
mount --no-canonicalize --bind /proc/self/fd/3 from
mount --no-canonicalize --bind /proc/self/fd/4 to
exec chroot . cp -a --reflink=auto -- "from/$part/." "to/$name"
"""


class CopyError(Exception):
    """It could not be copied; the text is what the system said."""


def copy(tree: str, part: str, into: str, name: str) -> None:
    """Copy the folder ``part`` of ``tree`` into the folder ``into``: as ``name``, or what is in it
    where that is ``.``; with all that it is made of, among it what overlayfs puts down in
    attributes and device files.  Of what changes meanwhile, each file is copied as it is when its
    turn comes.  Links may be in the way of ``part``, but lead nowhere out of ``tree``.

    Raises:
        CopyError: it could not be copied.
    """
    script = ("sh", "-c", _ALONE, "sh", tree, part, into, name)
    done = subprocess.run(
        ("unshare", "--mount", "--propagation", "private", *script),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CopyError(done.stderr.strip()[-500:])
