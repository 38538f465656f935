# What jobs do beside running a script: installers, packages, declared resources. Runs as the work of a job, its folder
# in IMMY_JOB. Leaves there: `error` (nothing was started), `failed` (text beside the exit code), `changes`
# (base64 of name, before and after; the last two are JSON). Needs tools.sh before it.

export DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none NEEDRESTART_MODE=l

immy_fail() {
  printf '%s\n' "$1" >&2
  printf '%s\n' "$1" >"$IMMY_JOB/error"
  exit 1
}
immy_refuse() { immy_fail "$1"; }

# base64 of: url, file name, sha256 (may be empty). The url stands in no argument: it can hold a token.
immy_download() {
  immy_text "$1"
  immy_url=$immy_text
  immy_text "$2"
  mkdir -p "$IMMY_JOB/download" || immy_fail 'there is no place for the download'
  IMMY_INSTALLER=$IMMY_JOB/download/$immy_text
  export IMMY_INSTALLER
  case $immy_url in
    /*) cp -- "$immy_url" "$IMMY_INSTALLER" || immy_fail "the installer cannot be copied: $immy_url" ;;
    *)
      if immy_has curl; then
        printf 'url = "%s"\n' "$(printf '%s' "$immy_url" | sed 's/\\/\\\\/g; s/"/\\"/g')" |
          curl -fsSL --connect-timeout 30 --retry 2 -o "$IMMY_INSTALLER" -K - || immy_fail "the download failed (curl says $?)"
      elif immy_has wget; then
        printf '%s\n' "$immy_url" | wget -q -T 60 -O "$IMMY_INSTALLER" -i - || immy_fail "the download failed (wget says $?)"
      else
        immy_fail 'this computer has neither curl nor wget'
      fi
      ;;
  esac
  immy_text "$3"
  [ -n "$immy_text" ] || return 0
  immy_actual=$(immy_sha256 "$IMMY_INSTALLER")
  [ "$immy_actual" = "$immy_text" ] || immy_fail "the download's sha256 is $immy_actual and not $immy_text"
}

# How the downloaded file is started (`exe`: by itself, `script`: by its interpreter), and its arguments in base64.
immy_install() {
  immy_how=$1
  shift
  immy_left=$#
  while [ "$immy_left" -gt 0 ]; do
    immy_text "$1"
    shift
    set -- "$@" "$immy_text"
    immy_left=$((immy_left - 1))
  done
  chmod 700 "$IMMY_INSTALLER" || immy_fail 'the installer cannot be made executable'
  cd "$IMMY_JOB/download" || immy_fail 'the download is gone'
  if [ "$immy_how" = script ]; then
    IFS= read -r immy_line <"$IMMY_INSTALLER" || :
    case $immy_line in '#!'*) ;; *) exec sh "$IMMY_INSTALLER" "$@" ;; esac
  fi
  exec "$IMMY_INSTALLER" "$@"
}

# name, before, after: texts; the last two are JSON already.
immy_changed() {
  printf '%s\t%s\t%s\n' "$(printf '%s' "$1" | immy_encode)" "$(printf '%s' "$2" | immy_encode)" \
    "$(printf '%s' "$3" | immy_encode)" >>"$IMMY_JOB/changes"
}
immy_failed() {
  printf '%s\n' "$1" >&2
  printf '%s\n' "$1" >>"$IMMY_JOB/failed"
}
immy_quoted() { if [ -n "$1" ]; then printf '"%s"' "$(printf '%s' "$1" | immy_json)"; else printf null; fi; }

# manager, action (install, uninstall, latest, present), base64 name, base64 version
immy_package_job() {
  immy_package_set "$@"
  exit "$immy_code"
}

immy_package_know() {
  immy_package_look "$@"
  [ -z "$immy_unread" ] || immy_refuse "$immy_unread"
}

immy_package_set() {
  immy_manager=$1
  immy_action=$2
  immy_text "$3"
  immy_wanted=$immy_text
  immy_text "$4"
  immy_version=$immy_text
  immy_code=0
  immy_package_know "$immy_manager" "$immy_wanted"
  immy_before=$immy_installed
  if [ "$immy_action" = latest ] && [ -n "$immy_before" ] && [ -n "$immy_unoffered" ]; then immy_refuse "$immy_unoffered"; fi
  case $immy_action in
    present) [ -n "$immy_before" ] || immy_package_act install ;;
    latest) if [ -z "$immy_before" ] || [ "$immy_before" != "$immy_candidate" ]; then immy_package_act install; fi ;;
    uninstall) [ -z "$immy_before" ] || immy_package_act uninstall ;;
    install) if [ -z "$immy_version" ] || [ "$immy_before" != "$immy_version" ]; then immy_package_act install; fi ;;
  esac
  immy_package_know "$immy_manager" "$immy_wanted"
  immy_changed "package $immy_wanted" "$(immy_quoted "$immy_before")" "$(immy_quoted "$immy_installed")"
}

immy_package_act() {
  case $immy_manager in
    apt) immy_apt_act "$1" ;;
    brew)
      # Homebrew knows versions as formulae of their own, name@version.
      if [ "$1" = install ] && [ -n "$immy_before" ]; then immy_brew upgrade "$immy_wanted"; else
        immy_brew "$1" "$immy_wanted${immy_version:+@$immy_version}"
      fi
      ;;
    dnf | yum)
      if [ "$1" = uninstall ]; then
        "$immy_manager" -y remove "$immy_wanted"
      elif [ -n "$immy_before" ] && [ -z "$immy_version" ]; then
        "$immy_manager" -y upgrade "$immy_wanted"
      else
        "$immy_manager" -y install "$immy_wanted${immy_version:+-$immy_version}"
      fi
      ;;
  esac
  immy_code=$?
}

immy_apt_act() {
  if ! immy_has apt-get; then
    case $1 in install) dpkg --force-confold -i "$immy_wanted" ;; *) dpkg -r "$immy_package" ;; esac
    return
  fi
  set -- "$1" -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=300
  if [ "$1" = uninstall ]; then
    shift
    apt-get "$@" remove -- "$immy_package"
    return
  fi
  shift
  immy_target=$immy_wanted
  case $immy_wanted in
    /*.deb) ;;
    *)
      immy_target=$immy_wanted${immy_version:+=$immy_version}
      # The lists can be older than the plan, or were never loaded.
      apt-get -s -y --allow-downgrades install -- "$immy_target" >/dev/null 2>&1 || apt-get -q -o DPkg::Lock::Timeout=300 update
      ;;
  esac
  apt-get "$@" --allow-downgrades install -- "$immy_target"
}

# Declared resources: what differs is set; one that fails does not keep the others from being set.

# base64 path, base64 content, `content` or `-`, mode or -, `absent` or -
immy_declare_file() {
  immy_text "$1"
  immy_path=$immy_text
  immy_file_look "$immy_path"
  immy_before=$immy_seen
  if [ "$5" = absent ]; then
    if [ -d "$immy_path" ] && [ ! -L "$immy_path" ]; then immy_failed "it is a folder and stays: $immy_path"; else
      rm -f -- "$immy_path" || immy_failed "it cannot be removed: $immy_path"
    fi
  else
    immy_file_set "$2" "$3" "$4"
  fi
  immy_file_look "$immy_path"
  immy_changed "file $immy_path" "$immy_before" "$immy_seen"
}

# What is at a path, as JSON in immy_seen.
immy_file_look() {
  immy_seen=null
  if [ -f "$1" ]; then
    immy_sum=$(immy_sha256 "$1")
    immy_mode=$(stat -L -c %a "$1" 2>/dev/null || stat -L -f %Lp "$1")
    immy_seen="{\"sha256\": \"$immy_sum\", \"mode\": \"$(printf '%04d' "$immy_mode")\"}"
  fi
}

# base64 content, `content` or `-`, mode or -
immy_file_set() {
  if [ -d "$immy_path" ]; then
    immy_failed "it is a folder: $immy_path"
    return
  fi
  # A link stays; the file that it leads to is written.
  immy_target=$immy_path
  [ ! -L "$immy_path" ] || immy_target=$(readlink -f -- "$immy_path" 2>/dev/null) || immy_target=$immy_path
  case $immy_target in */*) immy_parent=${immy_target%/*} ;; *) immy_parent=. ;; esac
  if [ ! -e "$immy_target" ] || [ "$2" = content ]; then
    (umask 022 && mkdir -p -- "${immy_parent:-/}") || { immy_failed "its folder cannot be made: $immy_path"; return; }
    immy_new=$(mktemp "${immy_parent:-}/.immy.XXXXXXXX") || { immy_failed "it cannot be written: $immy_path"; return; }
    if ! printf '%s' "$1" | immy_decode >"$immy_new"; then
      rm -f "$immy_new"
      immy_failed "it cannot be written: $immy_path"
      return
    fi
    if [ -e "$immy_target" ] && [ "$(immy_sha256 "$immy_target")" = "$(immy_sha256 "$immy_new")" ]; then
      rm -f "$immy_new"
    else
      immy_file_place "$3"
    fi
  fi
  if [ "$3" != - ]; then chmod "$3" "$immy_target" || immy_failed "its mode cannot be set: $immy_path"; fi
}

# The new content takes the place of the old, with its owner and mode.
immy_file_place() {
  immy_mode=0644
  if [ -e "$immy_target" ]; then
    immy_mode=$(stat -L -c %a "$immy_target" 2>/dev/null || stat -L -f %Lp "$immy_target")
    immy_owner=$(stat -L -c %u:%g "$immy_target" 2>/dev/null || stat -L -f %u:%g "$immy_target")
    chown "$immy_owner" "$immy_new" 2>/dev/null
  fi
  if [ "$1" != - ]; then immy_mode=$1; fi
  if ! { chmod "$immy_mode" "$immy_new" && mv -f -- "$immy_new" "$immy_target"; }; then
    rm -f "$immy_new"
    immy_failed "it cannot be written: $immy_path"
    return
  fi
  if immy_has restorecon; then restorecon "$immy_target" 2>/dev/null; fi
}

# base64 name, state or -, start-up or -
immy_declare_service() {
  immy_text "$1"
  immy_name=$immy_text
  immy_service "$immy_name"
  immy_before=$(immy_service_json)
  if [ -n "$immy_unread" ]; then
    immy_failed "$immy_unread"
    return
  fi
  if [ -z "$immy_state" ]; then
    immy_failed "there is no service $immy_name"
    return
  fi
  if [ "$3" != - ] && [ "$3" != "$immy_startup" ]; then immy_service_startup "$3" </dev/null; fi
  if [ "$2" != - ] && [ "$2" != "$immy_state" ]; then
    case $2 in running) immy_service_act start ;; *) immy_service_act stop ;; esac </dev/null
  fi
  immy_service "$immy_name"
  immy_changed "service $immy_name" "$immy_before" "$(immy_service_json)"
  if [ "$2" != - ] && [ "$2" != "$immy_state" ]; then immy_failed "service $immy_name is $immy_state and not $2"; fi
  if [ "$3" != - ] && [ "$3" != "$immy_startup" ]; then immy_failed "service $immy_name starts $immy_startup and not $3"; fi
}

immy_service_json() {
  if [ -n "$immy_state" ]; then printf '{"state": "%s", "startup": "%s"}' "$immy_state" "$immy_startup"; else printf null; fi
}

immy_service_act() {
  if [ -d /run/systemd/system ]; then
    systemctl "$1" -- "$immy_name"
  elif [ "$(uname -s)" = Darwin ]; then
    if [ "$1" = start ]; then launchctl kickstart "system/$immy_name"; else launchctl kill TERM "system/$immy_name"; fi
  elif immy_has service; then
    service "$immy_name" "$1"
  else
    "/etc/init.d/$immy_name" "$1"
  fi
}

immy_service_startup() {
  case $1 in automatic) immy_verb=enable ;; *) immy_verb=disable ;; esac
  if [ -d /run/systemd/system ]; then
    [ "$immy_verb" = disable ] || systemctl unmask -- "$immy_name"
    systemctl "$immy_verb" -- "$immy_name"
  elif [ "$(uname -s)" = Darwin ]; then
    launchctl "$immy_verb" "system/$immy_name"
  elif immy_has update-rc.d; then
    [ "$immy_verb" = disable ] || update-rc.d "$immy_name" defaults
    update-rc.d "$immy_name" "$immy_verb"
  elif immy_has rc-update; then
    if [ "$immy_verb" = enable ]; then rc-update add "$immy_name" default; else rc-update del "$immy_name" default; fi
  elif immy_has chkconfig; then
    if [ "$immy_verb" = enable ]; then chkconfig "$immy_name" on; else chkconfig "$immy_name" off; fi
  else
    immy_failed "this computer has no way to $immy_verb services"
  fi
}

# manager, action, base64 name, base64 version
immy_declare_package() {
  immy_package_set "$@"
  [ "$immy_code" = 0 ] || immy_failed "package $immy_wanted: $immy_manager ended with $immy_code"
}

immy_declared() {
  [ ! -s "$IMMY_JOB/failed" ] || exit 1
  exit 0
}
