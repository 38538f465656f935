# What `immy doctor` asks of a Linux or macOS computer beside its identity. It reads, and changes nothing.
# Lines `name<TAB>value`.

LC_ALL=C
export LC_ALL
say() { [ -z "$2" ] || printf '%s\t%s\n' "$1" "$2"; }
has() { command -v "$1" >/dev/null 2>&1; }

say uid "$(id -u)"
say user "$(id -un 2>/dev/null || id -u)"
say shell "$(readlink -f "/proc/$$/exe" 2>/dev/null || printf '%s' "${SHELL:-sh}")"
missing=
for tool in awk sed grep find df date mkdir sort head; do has "$tool" || missing="$missing $tool"; done
if ! has base64 && ! has openssl; then missing="$missing base64"; fi
say missing "${missing# }"

if [ "$(id -u)" != 0 ]; then
  if has sudo; then
    if told=$(sudo -n true 2>&1); then say sudo yes; else
      say sudo no
      say sudo_says "$(printf '%s\n' "$told" | tail -n 1 | tr '\t' ' ')"
    fi
  else
    say sudo no
    say sudo_says 'there is no sudo'
  fi
fi

spool=${IMMY_PLACE:-$IMMY_SPOOL}
if [ -z "$spool" ]; then
  if [ "$(id -u)" = 0 ]; then spool=/var/lib/immy/spool; else spool=$HOME/.local/state/immy/spool; fi
fi
say spool "$spool"
there=$spool
while [ ! -d "$there" ] && [ "$there" != / ] && [ -n "$there" ]; do
  up=${there%/*}
  [ "$up" != "$there" ] || up=.
  there=${up:-/}
done
if [ -w "$there" ] && [ -x "$there" ]; then say spool_can yes; else say spool_can no; fi
say spool_free_gb "$(df -Pk "$there" 2>/dev/null | awk 'NR == 2 { printf "%.1f", $4 / 1048576 }')"
open=0
for job in "$spool"/*/; do
  if [ -d "$job" ] && [ -e "$job/spec.json" ] && [ ! -e "$job/result" ]; then open=$((open + 1)); fi
done
say open_jobs "$open"

# Who holds the lock of a package manager: the kernel knows it by the file's number, a file of a process id names it.
holder() { printf '%s (process %s)' "$(sed -n 1p "/proc/$1/comm" 2>/dev/null || echo '?')" "$1"; }
locks=
add() { locks="${locks:+$locks; }$1 is held by $2"; }
for file in ${IMMY_LOCKS:-/var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock /var/lib/rpm/.rpm.lock /usr/lib/sysimage/rpm/.rpm.lock}; do
  [ -e "$file" ] && [ -r /proc/locks ] || continue
  number=$(ls -i "$file" 2>/dev/null | awk '{ print $1 }')
  pid=$(awk -v number="$number" '{ split($6, part, ":"); if ($2 != "->" && part[3] == number) { print $5; exit } }' /proc/locks)
  [ -z "$pid" ] || add "$file" "$(holder "$pid")"
done
for file in ${IMMY_PIDS:-/var/run/yum.pid /var/run/dnf.pid /var/cache/dnf/metadata_lock.pid /run/zypp.pid}; do
  pid=$(sed -n 1p "$file" 2>/dev/null)
  case $pid in '' | *[!0-9]*) continue ;; esac
  if kill -0 "$pid" 2>/dev/null || [ -d "/proc/$pid" ]; then add "$file" "$(holder "$pid")"; fi
done
say locks "$locks"
exit 0
