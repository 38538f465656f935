# The runner: executes the operations of one request one after another, each in a session of its own, and answers one
# frame for each. Needs tools.sh before it. Frames go to stdout, one line each:
#   #IMMY nonce begin
#   #IMMY nonce start INDEX
#   #IMMY nonce answer INDEX STATUS CODE SECONDS SIZE BASE64 SIZE BASE64      (result, then stderr; - when empty)
#   #IMMY nonce end COUNT
# STATUS: done, late (ended by the ladder), died (its own shell was killed), large (result over 1 MB).

immy_begin() {
  immy_nonce=$1
  immy_count=0
  immy_folder=
  for immy_place in "${TMPDIR:-/tmp}" /tmp /var/tmp "${HOME:-/tmp}"; do
    immy_folder=$(mktemp -d "$immy_place/immy.XXXXXXXX" 2>/dev/null) && break
  done
  if [ -z "$immy_folder" ]; then
    printf '\n#IMMY %s refused no-temporary-folder\n' "$immy_nonce"
    exit 0
  fi
  trap 'rm -rf "$immy_folder"' EXIT
  trap 'immy_quit' HUP INT TERM
  printf '\n#IMMY %s begin\n' "$immy_nonce"
}

# Our own end was asked for: nothing of ours stays behind.
immy_quit() {
  trap '' HUP INT TERM
  [ -s "$immy_here/leader" ] && immy_end_tree "$(cat "$immy_here/leader")"
  exit 143
}

# Text that built-in operations begin with.
immy_part() { printf '%s' "$2" | immy_decode >"$immy_folder/$1.part"; }

# index, time-out in seconds, part (`script`: the operator's), program, variables, secrets for stdin
immy_op() {
  immy_here=$immy_folder/$1
  mkdir "$immy_here"
  printf '#IMMY %s start %s\n' "$immy_nonce" "$1"
  if [ "$3" != script ]; then cat "$immy_folder/$3.part" >"$immy_here/program"; fi
  printf '%s' "$4" | immy_decode >>"$immy_here/program"
  immy_clock
  immy_begun=$immy_now
  # A shell between us and the operation: a script that kills its parent costs only itself.
  immy_child "$2" "$3" "$5" "$6" &
  wait "$!"
  immy_clock
  immy_status='done'
  immy_code=$(cat "$immy_here/code" 2>/dev/null)
  if [ -e "$immy_here/late" ]; then
    immy_status=late
  elif [ -z "$immy_code" ]; then
    immy_status=died
    [ -s "$immy_here/leader" ] && immy_end_tree "$(cat "$immy_here/leader")"
    [ -s "$immy_here/watch" ] && kill "$(cat "$immy_here/watch")" 2>/dev/null
  fi
  immy_answer "$1" "$immy_status" "${immy_code:--}"
  rm -rf "$immy_here"
  immy_count=$((immy_count + 1))
}

immy_child() {
  # Whatever becomes of the runner, nothing that outlives it holds its streams.
  exec >/dev/null 2>&1
  immy_export "$3"
  if [ "$2" = script ]; then immy_start=immy_script; else immy_start='immy_session sh'; fi
  if [ -n "$4" ]; then
    # Secrets come through a pipe; a printf that is a program would show them in its arguments.
    case $(command -v printf) in */*) echo 'this shell has no printf of its own to hand over secrets with' >"$immy_here/err" && return ;; esac
    printf '%s\n' "$4" | { umask "$immy_umask"; $immy_start "$immy_here/program"; } >"$immy_here/out" 2>"$immy_here/err" &
  else
    { umask "$immy_umask"; $immy_start "$immy_here/program"; } </dev/null >"$immy_here/out" 2>"$immy_here/err" &
  fi
  immy_leader=$!
  printf '%s' "$immy_leader" >"$immy_here/leader"
  immy_watch "$immy_leader" "$1" >/dev/null 2>&1 &
  immy_watcher=$!
  printf '%s' "$immy_watcher" >"$immy_here/watch"
  wait "$immy_leader"
  immy_code=$?
  if [ -e "$immy_here/late" ]; then wait "$immy_watcher"; else kill "$immy_watcher" 2>/dev/null; fi
  # What a finished operation left running in its group goes with it.
  kill -9 "-$immy_leader" 2>/dev/null
  printf '%s' "$immy_code" >"$immy_here/code"
}

immy_watch() {
  # shellcheck disable=SC2064 # $! is meant at the time of the signal
  trap 'kill "$!" 2>/dev/null; exit 0' TERM
  sleep "$2" &
  wait "$!"
  : >"$immy_here/late"
  immy_end_tree "$1"
}

immy_answer() {
  immy_size=$(($(wc -c 2>/dev/null <"$immy_here/out" || echo 0)))
  immy_errors=$(($(tail -c 65536 "$immy_here/err" 2>/dev/null | wc -c)))
  immy_state=$2
  if [ "$immy_size" -gt 1048576 ]; then
    immy_state=large
    immy_size=0
  fi
  printf '#IMMY %s answer %s %s %s %s %s ' "$immy_nonce" "$1" "$immy_state" "$3" \
    "$(awk "BEGIN { printf \"%.2f\", $immy_now - $immy_begun }")" "$immy_size"
  if [ "$immy_size" -gt 0 ]; then immy_encode <"$immy_here/out"; else printf -- '-'; fi
  printf ' %s ' "$immy_errors"
  if [ "$immy_errors" -gt 0 ]; then tail -c 65536 "$immy_here/err" | immy_encode; else printf -- '-'; fi
  printf '\n'
}

immy_finish() { printf '#IMMY %s end %s\n' "$immy_nonce" "$immy_count"; }
