# Exit code 0: no backup runs; 1: one does.
list=$(ps -A -o comm=) || exit 2
[ -n "$list" ] || exit 2
for name in $IMMY_POSIX_PROCESSES; do
    if printf '%s\n' "$list" | sed 's|.*/||' | grep -qxF "$name"; then
        echo "$name is at work" >&2
        exit 1
    fi
done
if command -v tmutil >/dev/null 2>&1 && tmutil status 2>/dev/null | grep -q 'Running = 1'; then
    echo "Time Machine is at work" >&2
    exit 1
fi
exit 0
