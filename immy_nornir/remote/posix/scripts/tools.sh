# Small tools that the runner, the built-in operations and the job supervisor share. POSIX sh; nothing runs by itself.
# Callers are dash, bash in POSIX mode, busybox and macOS's sh: no arrays, no local, no [[ ]].

PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin
export PATH
immy_umask=$(umask)
umask 077

immy_has() { command -v "$1" >/dev/null 2>&1; }

# base64 text on stdin -> bytes; an old macOS says -D, a bare system has only openssl (which wants short lines).
if [ "$(printf 'YQ==' | base64 -d 2>/dev/null)" = a ]; then
  immy_decode() { base64 -d; }
elif [ "$(printf 'YQ==' | base64 -D 2>/dev/null)" = a ]; then
  immy_decode() { base64 -D; }
else
  immy_decode() { { fold -w 64 && echo; } | openssl base64 -d; }
fi
if immy_has base64; then
  immy_encode() { base64 | tr -d '\r\n'; }
else
  immy_encode() { openssl base64 | tr -d '\r\n'; }
fi

# One decoded argument in immy_text, last newlines included.
immy_text() {
  immy_text=$(printf '%s' "$1" | immy_decode && printf x)
  immy_text=${immy_text%x}
}

# Pairs NAME=base64 become exported variables.
immy_export() {
  for immy_pair in $1; do
    immy_text "${immy_pair#*=}"
    export "${immy_pair%%=*}=$immy_text"
  done
}

# Runs a command as the leader of a session of its own, so that its whole tree can be ended.
if immy_has setsid; then
  immy_session() { exec setsid "$@"; }
elif immy_has perl; then
  immy_session() { exec perl -MPOSIX -e 'POSIX::setsid(); exec { $ARGV[0] } @ARGV or exit 127' "$@"; }
elif immy_has python3; then
  immy_session() { exec python3 -c 'import os,sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' "$@"; }
else
  immy_session() { exec "$@"; }
fi

# Seconds of a clock in immy_now, as 12.34 where /proc tells it without a process.
immy_clock() {
  if [ -r /proc/uptime ]; then read -r immy_now immy_rest </proc/uptime; else immy_now=$(date +%s); fi
}

# A tenth of a second, or a second where sleep knows no fractions.
immy_nap() { sleep 0.1 2>/dev/null || sleep 1; }

# All processes: pid, state, parent, group, session.
immy_processes() {
  if [ -r /proc/self/stat ]; then
    cat /proc/[0-9]*/stat 2>/dev/null | sed 's/ (.*) / /' | awk '{ print $1, $2, $3, $4, $5 }'
  else
    ps -A -o pid= -o stat= -o ppid= -o pgid= -o sess= 2>/dev/null || ps -A -o pid= -o stat= -o ppid= -o pgid=
  fi
}

# The living processes of the session or group that $1 led, with all descendants, on one line.
immy_tree() {
  immy_processes | awk -v top="$1" '
    $2 !~ /^Z/ { n++; pid[n] = $1; up[n] = $3; if ($1 == top || $4 == top || $5 == top) mine[$1] = 1 }
    END {
      do { again = 0; for (i = 1; i <= n; i++) if (!(pid[i] in mine) && (up[i] in mine)) { mine[pid[i]] = 1; again = 1 } } while (again)
      for (p in mine) printf "%s ", p
    }'
}

# The time-out ladder for the tree of $1: TERM, two seconds, KILL.
immy_end_tree() {
  immy_members=$(immy_tree "$1")
  [ -n "$immy_members" ] || return 0
  # shellcheck disable=SC2086 # a list of numbers
  kill -TERM $immy_members 2>/dev/null
  immy_step=0
  while [ "$immy_step" -lt 20 ]; do
    immy_members=$(for immy_one in $immy_members $(immy_tree "$1"); do immy_alive "$immy_one" && printf '%s ' "$immy_one"; done)
    [ -n "$immy_members" ] || return 0
    immy_nap
    immy_step=$((immy_step + 1))
  done
  # shellcheck disable=SC2086
  kill -KILL $immy_members 2>/dev/null
  # A process that forked while it was being counted is met by a second look.
  immy_members=$(immy_tree "$1")
  # shellcheck disable=SC2086
  [ -z "$immy_members" ] || kill -KILL $immy_members 2>/dev/null
}

# Whether a process exists and is no zombie.
immy_alive() {
  if [ -r /proc/self/stat ]; then
    [ -r "/proc/$1/stat" ] && read -r immy_stat <"/proc/$1/stat" 2>/dev/null || return 1
    case ${immy_stat##*) } in Z* | X*) return 1 ;; esac
  else
    case $(ps -o stat= -p "$1" 2>/dev/null) in '' | Z*) return 1 ;; esac
  fi
}

# When a process started, as a word that differs for another process with the same number.
immy_birth() {
  if [ -r /proc/self/stat ]; then
    [ -r "/proc/$1/stat" ] && read -r immy_stat <"/proc/$1/stat" || return 1
    # shellcheck disable=SC2086
    set -- ${immy_stat##*) }
    shift 19
    printf '%s' "$1"
  else
    ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' '_'
  fi
}

# The identity and the time of this boot.
immy_boot_id() {
  if [ -r /proc/sys/kernel/random/boot_id ]; then
    read -r immy_line </proc/sys/kernel/random/boot_id
    printf '%s' "$immy_line"
  else
    sysctl -n kern.bootsessionuuid 2>/dev/null | tr '[:upper:]' '[:lower:]'
  fi
}
immy_boot_time() {
  if [ -r /proc/stat ]; then
    awk '$1 == "btime" { print $2 }' /proc/stat
  else
    sysctl -n kern.boottime 2>/dev/null | sed 's/^.*{ sec = \([0-9]*\).*$/\1/'
  fi
}

# Runs the script in file $1, with the other arguments as its own, with the interpreter that its first line names, else with sh; in a session of its own, or
# as immy_launch says. (What leads a group already must not ask setsid for a session: it would fork and not wait.)
immy_script() {
  IFS= read -r immy_line <"$1" || :
  case $immy_line in
    '#!'*)
      set -f
      # shellcheck disable=SC2086
      ${immy_launch:-immy_session} ${immy_line#??} "$@"
      ;;
    *) ${immy_launch:-immy_session} sh "$@" ;;
  esac
}

# The sha256 of a file, in lower case.
immy_sha256() {
  if immy_has sha256sum; then
    sha256sum <"$1" | cut -c 1-64
  elif immy_has shasum; then
    shasum -a 256 <"$1" | cut -c 1-64
  else
    openssl dgst -sha256 <"$1" | sed 's/^.*= *//'
  fi
}

# A word for this boot where it has no id.
immy_boot_mark() { [ -r /proc/sys/kernel/random/boot_id ] || printf 't%s' "$(immy_boot_time)"; }

# Text on stdin as the inside of a JSON string.
immy_json() { tr '\n\t\r' '   ' | tr -d '\000-\037' | sed 's/\\/\\\\/g; s/"/\\"/g'; }
