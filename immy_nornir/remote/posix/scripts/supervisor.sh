# The supervisor of one job: runs its work outside of any connection and leaves its last word. Arguments: the job's
# folder, the deadline in seconds, the user (empty: as now). Secrets come on stdin, for the environment of the work
# only. Needs tools.sh before it.

immy_job=$1
immy_deadline=$2
immy_user=$3
trap '' HUP
echo up
exec >/dev/null 2>&1
IFS= read -r immy_secrets || immy_secrets=${immy_secrets:-}
exec </dev/null
cd "$immy_job" || exit 1

immy_boot="$(immy_boot_id)$(immy_boot_mark)"
printf '%s %s %s\n' "$immy_boot" "$$" "$(immy_birth "$$")" >pid
immy_clock
immy_begun=$immy_now

# exit code or null, error
immy_last_word() {
  immy_clock
  # What another user's folder holds could be a link to anything.
  [ -n "$immy_user" ] || [ ! -e "$immy_place/changes" ] || cp "$immy_place/changes" changes
  printf '{"exit_code": %s, "error": "%s", "seconds": %s}\n' "$1" "$(printf '%s' "$2" | immy_json)" \
    "$(awk "BEGIN { printf \"%.2f\", $immy_now - $immy_begun }")" >result.new
  [ -z "$immy_place" ] || rm -rf "$immy_place"
  rm -f worker variables
  mv -f result.new result
  exit 0
}

# The work's own folder; another user cannot enter the spool.
immy_place=$immy_job/place.d
immy_mine=$(id -un)
if [ -n "$immy_user" ] && [ "$immy_user" != "$immy_mine" ]; then
  id -u "$immy_user" >/dev/null 2>&1 || immy_error="there is no user $immy_user"
  [ "$(id -u)" = 0 ] || immy_error="only root can run a job as $immy_user"
  [ -n "$immy_error" ] || immy_place=$(mktemp -d "${TMPDIR:-/tmp}/immy-job.XXXXXXXX") || immy_error='no temporary folder for the user'
  [ -n "$immy_error" ] || { cp work "$immy_place/work" && chown -R "$immy_user" "$immy_place" && chmod 500 "$immy_place/work"; }
else
  immy_user=
  mkdir "$immy_place" && cp work "$immy_place/work"
fi

printf '{"boot": "%s", "pid": %s}\n' "$immy_boot" "$$" >started.new && mv -f started.new started
[ -z "$immy_error" ] || immy_last_word null "$immy_error"
[ ! -e stop ] || immy_last_word null stopped

immy_work() {
  immy_export "$(cat variables)"
  immy_export "$immy_secrets"
  IMMY_JOB=$immy_place
  export IMMY_JOB
  unset immy_secrets immy_text
  # As a daemon has it: what is installed is for all.
  umask 022
  if [ -n "$immy_user" ]; then
    cd / || exit 126
    HOME=$(eval "printf '%s' ~$immy_user")
    USER=$immy_user
    LOGNAME=$immy_user
    export HOME USER LOGNAME
    IFS= read -r immy_line <"$immy_place/work" || :
    case $immy_line in '#!'*) immy_line=${immy_line#??} ;; *) immy_line='sh' ;; esac
    set -f
    # shellcheck disable=SC2086
    if immy_has runuser; then
      immy_session runuser -u "$immy_user" -- $immy_line "$immy_place/work"
    elif immy_has sudo; then
      # -E: the variables of the job, which stand in no argument.
      immy_session sudo -n -E -H -u "$immy_user" -- $immy_line "$immy_place/work"
    else
      immy_session su -m "$immy_user" -c "exec $immy_line $immy_place/work"
    fi
  else
    cd "$immy_place" || exit 126
    immy_script "$immy_place/work"
  fi
}

immy_work >>output 2>&1 &
immy_worker=$!
immy_born=$(immy_birth "$immy_worker")
printf '%s %s %s\n' "$immy_boot" "$immy_worker" "$immy_born" >worker
immy_secrets=

immy_watch() {
  # shellcheck disable=SC2064
  trap 'kill "$!" 2>/dev/null; exit 0' TERM
  sleep "$immy_deadline" &
  wait "$!"
  # Where the supervisor was killed, nobody has ended this watch, and the number may be another's by now.
  [ "$(immy_birth "$immy_worker")" = "$immy_born" ] || exit 0
  : >late
  immy_end_tree "$immy_worker"
}
immy_watch >/dev/null 2>&1 &
immy_watcher=$!

[ ! -e stop ] || immy_end_tree "$immy_worker"
wait "$immy_worker"
immy_code=$?
if [ -e late ]; then wait "$immy_watcher"; else kill "$immy_watcher" 2>/dev/null; fi
if [ -e stop ]; then immy_last_word null stopped; fi
if [ -e late ]; then immy_last_word null "ended at its deadline of $immy_deadline seconds"; fi
if [ -z "$immy_user" ]; then
  if [ -s "$immy_place/error" ]; then immy_last_word null "$(cat "$immy_place/error")"; fi
  if [ -s "$immy_place/failed" ]; then immy_last_word "$immy_code" "$(cat "$immy_place/failed")"; fi
fi
immy_last_word "$immy_code" ''
