# The lease: which session may act on this computer, from whatever machine, history or account it comes. Each account keeps its own
# file in a folder that only it can write; all are read. They outlive reboots. Needs tools.sh and jobs.sh before it.
# A row: history, session, epoch, until, touched, released (0 or 1), holder (base64); `job` is the process of its last job.

immy_lease_find() {
  immy_leases=/var/tmp
  if [ -n "$IMMY_SPOOL" ]; then
    immy_leases=$IMMY_SPOOL/.leases
    mkdir -p "$immy_leases"
  fi
  immy_lease=$immy_leases/immy-lease-$(id -u)
  mkdir -m 755 "$immy_lease" 2>/dev/null
  # In a folder that everybody may write to, somebody else may have been quicker.
  # shellcheck disable=SC2012
  if [ ! -d "$immy_lease" ] || [ -L "$immy_lease" ] || [ "$(ls -ldn "$immy_lease" | awk '{ print $3 }')" != "$(id -u)" ]; then
    immy_refuse "the folder of the lease is not ours: $immy_lease"
  fi
  immy_step=0
  while ! mkdir "$immy_lease/lock" 2>/dev/null; do
    immy_step=$((immy_step + 1))
    [ "$immy_step" -lt 100 ] || immy_refuse "the lease is locked: $immy_lease/lock"
    [ -z "$(find "$immy_lease/lock" -prune -mmin +1 2>/dev/null)" ] || rmdir "$immy_lease/lock" 2>/dev/null
    immy_nap
  done
  immy_date=$(date +%s)
}

# The row in file $1, in immy_r_...; false where there is none.
immy_lease_row() {
  [ -f "$1" ] && [ ! -L "$1" ] && [ -r "$1" ] || return 1
  immy_row=$(head -c 4000 "$1" 2>/dev/null | head -n 1 | tr '\t' ' ')
  # shellcheck disable=SC2086
  set -f && set -- $immy_row && set +f
  [ "$#" -eq 7 ] || return 1
  case $3$4$5$6 in *[!0-9]*) return 1 ;; esac
  immy_r_history=$1 immy_r_session=$2 immy_r_epoch=$3 immy_r_until=$4 immy_r_touched=$5 immy_r_released=$6
  immy_r_holder=$(printf '%s' "$7" | immy_decode)
}

immy_lease_write() { # released, until
  immy_row="$immy_l_history $immy_l_session $immy_l_epoch $2 $immy_date $1 $immy_l_holder"
  printf '%s\n' "$immy_row" >"$immy_lease/new" && chmod 644 "$immy_lease/new" && mv -f "$immy_lease/new" "$immy_lease/lease"
}

immy_lease_is_own() { [ "$immy_r_history" = "$immy_l_history" ] && [ "$immy_r_session" = "$immy_l_session" ]; }

# Whether others may act: ends with a refusal where they are at work; else immy_again says whether they were since the item was looked at.
immy_lease_check() { # file
  immy_lease_row "$1" || return 0
  if immy_lease_is_own; then
    if [ "$immy_r_epoch" -gt "$immy_l_epoch" ]; then
      rmdir "$immy_lease/lock"
      immy_refuse "lease lost: session $immy_r_session was taken up by $immy_r_holder"
    fi
    return 0
  fi
  # While it is ours nobody else acts: what they did before was seen then.
  [ "$immy_r_touched" -gt "$immy_held" ] || [ "$immy_r_released" = 0 ] || return 0
  if [ "$immy_r_released" = 0 ] && [ "$immy_r_history $immy_r_session" = "$immy_l_history $immy_l_ended" ]; then
    immy_lives "${1%/lease}/job" || immy_r_released=1
  fi
  if [ "$immy_r_released" = 0 ]; then
    if [ "$immy_date" -lt "$immy_r_until" ] || immy_lives "${1%/lease}/job"; then
      # Both of two that come at the same moment step back.
      [ -z "$immy_taken" ] || immy_lease_write 1 "$immy_date"
      rmdir "$immy_lease/lock"
      [ "$immy_r_until" -gt "$immy_date" ] || immy_r_until=$immy_date
      immy_refuse "lease busy: $immy_r_holder, until $immy_r_until"
    fi
    [ "$immy_r_touched" -le "$immy_held" ] || immy_again=1
  elif [ "$immy_l_detected" != - ] && [ "$((immy_r_touched + 5))" -ge "$((immy_date - immy_l_detected))" ]; then
    immy_again=1
  fi
}

# history, session, epoch, seconds, holder (base64), a session of the history that has ended (- for none), seconds since the item was
# detected (- where that is no matter)
immy_lease_enter() {
  immy_l_history=$1 immy_l_session=$2 immy_l_epoch=$3 immy_l_seconds=$4 immy_l_holder=$5 immy_l_ended=$6 immy_l_detected=$7
  immy_lease_find
  immy_again=0
  immy_taken=
  immy_held=-1
  if immy_lease_row "$immy_lease/lease" && immy_lease_is_own && [ "$immy_r_released" = 0 ]; then immy_held=$immy_r_touched; fi
  immy_lease_check "$immy_lease/lease"
  immy_lease_write 0 "$((immy_date + immy_l_seconds))"
  immy_taken=1
  for immy_other in "$immy_leases"/immy-lease-*/lease; do
    [ "$immy_other" = "$immy_lease/lease" ] || immy_lease_check "$immy_other"
  done
  rmdir "$immy_lease/lock"
  [ "$immy_l_detected" != - ] || immy_again=0
}

# Longer, where it is still ours: who only waits takes nothing from others.
immy_lease_renew() {
  immy_l_history=$1 immy_l_session=$2 immy_l_epoch=$3 immy_l_holder=$5
  immy_lease_find
  if immy_lease_row "$immy_lease/lease" && immy_lease_is_own && [ "$immy_r_epoch" -le "$immy_l_epoch" ]; then
    immy_lease_write 0 "$((immy_date + $4))"
  fi
  rmdir "$immy_lease/lock"
}

immy_lease_leave() {
  immy_l_history=$1 immy_l_session=$2 immy_l_epoch=$3 immy_l_holder=$5
  immy_lease_find
  if immy_lease_row "$immy_lease/lease" && immy_lease_is_own; then immy_lease_write 1 "$immy_date"; fi
  rmdir "$immy_lease/lock"
}

# folder of the job: its process keeps the lease for as long as it lives
immy_lease_job() {
  cp -f "$immy_spool/$1/pid" "$immy_lease/job" 2>/dev/null && chmod 644 "$immy_lease/job"
}

# The name of a job that is at work, of whatever account, or nothing.
immy_lease_working() {
  immy_find_spool none
  for immy_job in "$immy_spool"/*; do
    [ -d "$immy_job" ] || continue
    immy_look
    case $immy_state in starting | running) printf '%s' "${immy_job##*/}" && return ;; esac
  done
  for immy_other in "$immy_leases"/immy-lease-*/job; do
    if immy_lives "$immy_other"; then printf 'of another account' && return; fi
  done
}

immy_lease_idle() {
  immy_working=$(immy_lease_working)
  [ -z "$immy_working" ] || immy_refuse "the job $immy_working is at work there"
}
