# Exit code 0: nothing installs updates; 1: something does.
list=$(ps -A -o comm=) || exit 2
[ -n "$list" ] || exit 2
for name in $IMMY_POSIX_PROCESSES; do
    if printf '%s\n' "$list" | sed 's|.*/||' | grep -qxF "$name"; then
        echo "$name is at work" >&2
        exit 1
    fi
done
