# Operations on jobs and reboots. Each prints lines `name<TAB>value`. Needs tools.sh before it.
# A job's folder holds: spec.json, supervisor, work (the program), variables, started, output, result, and while the
# work runs `worker`. Whoever makes the folder starts the job; what exists is not started again.

immy_refuse() {
  printf '%s\n' "$1" >&2
  exit 64
}

immy_find_spool() {
  if [ -n "$IMMY_SPOOL" ]; then
    immy_spool=$IMMY_SPOOL
  elif [ "$(id -u)" = 0 ]; then
    immy_spool=/var/lib/immy/spool
  else
    immy_spool=$HOME/.local/state/immy/spool
  fi
  immy_job=$immy_spool/$1
}

# Folders of jobs that nobody asked for during two weeks after their end.
immy_sweep() {
  find "$immy_spool" -mindepth 2 -maxdepth 2 -name result -mtime +14 2>/dev/null | while IFS= read -r immy_old; do
    rm -rf -- "${immy_old%/result}"
  done
}

# The line of a spec that names the item: whether another job of it is at work, in immy_rival. An ended session may have left one, and two
# never run side by side.
immy_find_rival() {
  [ -n "$1" ] || return 1
  immy_rival=
  immy_own=$immy_job
  for immy_job in "$immy_spool"/*; do
    if [ -e "$immy_job/result" ] || ! grep -qxF "$1" "$immy_job/spec.json" 2>/dev/null; then continue; fi
    immy_look
    case $immy_state in starting | running) immy_rival=${immy_job##*/} ;; esac
  done
  immy_job=$immy_own
  [ -n "$immy_rival" ]
}

# folder, spec, supervisor, work (all base64), variables, deadline, user, wait; secrets on stdin
immy_job_start() {
  immy_find_spool "$1"
  { mkdir -p "$immy_spool" && chmod 700 "$immy_spool"; } || immy_refuse "the spool cannot be made: $immy_spool"
  if [ ! -d "$immy_job" ] && immy_find_rival "$(printf '%s' "$2" | immy_decode | grep '^ "item": "..*"')"; then
    printf 'state\tbusy\noutput\t%s\n' "$(printf '%s' "$immy_rival" | immy_encode)"
    return
  fi
  if ! mkdir -m 700 "$immy_job" 2>/dev/null; then
    [ -d "$immy_job" ] || immy_refuse "the job's folder cannot be made: $immy_job"
    immy_job_wait "$1" 0 "$8"
    return
  fi
  if ! {
    printf '%s' "$2" | immy_decode >"$immy_job/spec.json" && printf '%s' "$3" | immy_decode >"$immy_job/supervisor" &&
      printf '%s' "$4" | immy_decode >"$immy_job/work" && printf '%s\n' "$5" >"$immy_job/variables" && : >"$immy_job/output"
  }; then
    rm -rf "$immy_job"
    immy_refuse "the job's folder cannot be written: $immy_job"
  fi
  # Not our child and not of our group, so that nothing that ends our tree ends the job; its first word says that it is.
  exec 3<&0
  immy_word=$(immy_session sh "$immy_job/supervisor" "$immy_job" "$6" "$7" <&3 3<&- 2>/dev/null &)
  exec 3<&-
  printf 'created\t1\n'
  immy_sweep </dev/null
  immy_step=0
  while [ ! -e "$immy_job/started" ] && [ "$immy_step" -lt 20 ]; do
    immy_nap
    immy_step=$((immy_step + 1))
  done
  immy_job_wait "$1" 0 "$8"
}

# folder, offset, seconds to wait
immy_job_wait() {
  immy_find_spool "$1"
  immy_clock
  immy_until=$(awk "BEGIN { printf \"%.0f\", ($immy_now + $3) * 100 }")
  while :; do
    immy_look
    case $immy_state in absent | finished | lost) break ;; esac
    immy_clock
    case $immy_now in *.??) immy_hundredths=${immy_now%.*}${immy_now#*.} ;; *) immy_hundredths=${immy_now}00 ;; esac
    [ "$immy_hundredths" -lt "$immy_until" ] || break
    immy_nap
  done
  printf 'state\t%s\n' "$immy_state"
  immy_job_tail "$2"
  if [ "$immy_state" = finished ]; then
    printf 'result\t%s\n' "$(immy_encode <"$immy_job/result")"
    # Only what a script printed last can be its value.
    grep -q '^ "kind": "script",$' "$immy_job/spec.json" &&
      printf 'last\t%s\n' "$(tail -c 1048576 "$immy_job/output" | awk 'NF { line = $0 } END { printf "%s", line }' | immy_encode)"
    [ ! -s "$immy_job/changes" ] || sed 's/^/change	/' "$immy_job/changes"
  fi
}

# At most 256 kB of the output from a byte on.
immy_job_tail() {
  [ -r "$immy_job/output" ] || return 0
  printf 'size\t%s\n' "$(($(wc -c <"$immy_job/output")))"
  printf 'output\t%s\n' "$(tail -c "+$(($1 + 1))" "$immy_job/output" | head -c 262144 | immy_encode)"
}
immy_job_output() {
  immy_find_spool "$1"
  immy_job_tail "$2"
}

# What the spool says of the job, in immy_state.
immy_look() {
  if [ ! -d "$immy_job" ]; then
    immy_state=absent
  elif [ -e "$immy_job/result" ]; then
    immy_state=finished
  elif [ ! -e "$immy_job/started" ]; then
    # Whoever made the folder died before the start, if nothing comes for minutes.
    immy_state=starting
    [ -z "$(find "$immy_job" -prune -mmin +2 2>/dev/null)" ] || immy_state=lost
  else
    immy_state=running
    # The boot and both processes stand in files as: boot, number, birth.
    if ! immy_lives "$immy_job/pid" && ! immy_lives "$immy_job/worker"; then
      # It may have written its last word just now.
      if [ -e "$immy_job/result" ]; then immy_state=finished; else immy_state=lost; fi
    fi
  fi
}

# Whether the process named in file $1 is of this boot, alive, and no other with the same number.
immy_lives() {
  [ -r "$1" ] && read -r immy_boot immy_pid immy_born <"$1" || return 1
  [ "$immy_boot" = "$(immy_boot_id)$(immy_boot_mark)" ] && immy_alive "$immy_pid" && [ "$immy_born" = "$(immy_birth "$immy_pid")" ]
}

immy_job_stop() {
  immy_find_spool "$1"
  immy_look
  case $immy_state in
    absent) immy_refuse 'there is no such job' ;;
    starting | running) ;;
    *) return 0 ;;
  esac
  : >"$immy_job/stop"
  if immy_lives "$immy_job/worker"; then immy_end_tree "$immy_pid"; fi
  immy_step=0
  while [ "$immy_step" -lt 30 ]; do
    immy_look
    case $immy_state in finished | lost) break ;; esac
    immy_nap
    immy_step=$((immy_step + 1))
  done
  if [ ! -e "$immy_job/result" ]; then
    if immy_lives "$immy_job/pid"; then immy_end_tree "$immy_pid"; fi
    if immy_lives "$immy_job/worker"; then immy_end_tree "$immy_pid"; fi
    printf '{"exit_code": null, "error": "stopped", "seconds": 0}\n' >"$immy_job/result.new" && mv -f "$immy_job/result.new" "$immy_job/result"
  fi
}

# expected boot id, expected boot time (- where unknown), delay in seconds, base64 reason
immy_reboot() {
  immy_id=$(immy_boot_id)
  immy_time=$(immy_boot_time)
  if [ "$1" != - ] && [ -n "$immy_id" ]; then
    [ "$1" = "$immy_id" ] || immy_refuse 'the computer is in another boot than the one to end'
  elif [ "$2" != - ] && [ -n "$immy_time" ]; then
    awk "BEGIN { d = $2 - $immy_time; exit !(d > -60 && d < 60) }" || immy_refuse 'the computer is in another boot than the one to end'
  else
    immy_refuse 'the boot to end is not known: it could be another one'
  fi
  immy_has systemctl || immy_has shutdown || immy_refuse 'this computer has neither systemctl nor shutdown'
  immy_text "$4"
  export immy_text
  # Later than this answer, and outside the shell that the reboot ends; its first word says that it is.
  # shellcheck disable=SC2016
  immy_word=$(immy_session sh -c 'echo up; exec >/dev/null 2>&1; sleep "$1"
    if [ -d /run/systemd/system ]; then systemctl reboot --message="$immy_text" || systemctl reboot; else false; fi ||
      shutdown -r now "$immy_text" || reboot' sh "$3" </dev/null 2>/dev/null &)
  [ "$immy_word" = up ] || immy_refuse 'the reboot could not be asked for'
}
