#!/bin/sh
# Runs a command in the working tree as the tree's owner, after its packages were installed where they have changed.
# Files that the command writes belong to the person whose tree it is, never to root.
set -eu
tree=${DEV_TREE:-$PWD}
venv=${DEV_VENV:-/opt/venv}
user=dev

if [ "$(id -u)" = 0 ]; then
    uid=$(stat -c %u "$tree")
    gid=$(stat -c %g "$tree")
    if [ "$uid" != 0 ]; then # root's own tree: an engine without root maps that to the person already
        [ "$(id -g "$user" 2>/dev/null)" = "$gid" ] || groupmod --non-unique --gid "$gid" "$user"
        [ "$(id -u "$user" 2>/dev/null)" = "$uid" ] || usermod --non-unique --uid "$uid" --gid "$gid" "$user"
        mkdir -p "$venv"
        [ "$(stat -c %u "$venv")" = "$uid" ] || chown -R "$uid:$gid" "$venv"
        HOME=$(getent passwd "$user" | cut -d: -f6)
        export HOME
        exec setpriv --reuid="$uid" --regid="$gid" --clear-groups "$0" "$@"
    fi
fi

cd "$tree"
wanted=$(cat constraints.txt pyproject.toml | sha256sum)
if [ "$(cat "$venv/installed" 2>/dev/null || true)" != "$wanted" ]; then
    echo "constraints.txt or pyproject.toml has changed: installing packages into $venv" >&2
    rm -f "$venv/installed"
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q -c constraints.txt -e '.[dev]'
    printf '%s\n' "$wanted" > "$venv/installed"
fi
exec "$@"
