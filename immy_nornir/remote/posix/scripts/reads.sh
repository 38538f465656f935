# Built-in reading operations. Each prints lines `name<TAB>value`; our side turns them into the wire's JSON.
# Arguments are base64. They change nothing. Needs tools.sh before it.

LC_ALL=C
export LC_ALL

immy_say() { [ -z "$2" ] || printf '%s\t%s\n' "$1" "$2"; }
immy_first_line() { [ -r "$1" ] && head -n 1 "$1" 2>/dev/null; }

# The zone that the clock shows by its IANA name: what /etc/localtime links to, else what the system says of it elsewhere.
immy_time_zone() {
  immy_link=$(readlink -f /etc/localtime 2>/dev/null) || immy_link=$(readlink /etc/localtime 2>/dev/null)
  immy_zone=$(printf '%s\n' "$immy_link" | sed -n 's|.*/zoneinfo[^/]*/||p' | sed 's|^posix/||; s|^right/||')
  # A copy instead of a link has no name: Debian and older Red Hats write the name down beside it.
  [ -n "$immy_zone" ] || immy_zone=$(sed -n '/^[A-Za-z]/ { p; q; }' /etc/timezone 2>/dev/null)
  [ -n "$immy_zone" ] || immy_zone=$(sed -n 's/^ZONE="*\([^"]*\)"*$/\1/p' /etc/sysconfig/clock 2>/dev/null | head -n 1)
  if [ -z "$immy_zone" ] && immy_has timedatectl; then immy_zone=$(timedatectl show -p Timezone --value 2>/dev/null); fi
  if [ -z "$immy_zone" ] && immy_has systemsetup; then
    immy_zone=$(systemsetup -gettimezone 2>/dev/null | sed -n 's/^Time Zone: //p')
  fi
  [ -n "$immy_zone" ] || immy_zone=${TZ#:}
  # Without the file the clock is UTC (tzset, systemd).
  if [ -z "$immy_zone" ] && [ ! -e /etc/localtime ] && [ ! -L /etc/localtime ]; then immy_zone=UTC; fi
  printf '%s\n' "$immy_zone"
}

immy_identity() {
  immy_say kernel "$(uname -s)"
  immy_say name "$(uname -n)"
  immy_say alias "$(awk -v name="$(uname -n)" '!/^#/ { for (i = 2; i <= NF; i++) if (index($i, name ".") == 1) { print $i; exit } }' /etc/hosts 2>/dev/null)"
  immy_say machine "$(uname -m)"
  immy_say release "$(uname -r)"
  immy_say boot_id "$(immy_boot_id)"
  immy_say boot_time "$(immy_boot_time)"
  immy_say time "$(date +%s)"
  immy_say time_zone "$(immy_time_zone)"
  immy_say disk_free "$(df -Pk / 2>/dev/null | awk 'NR == 2 { print $4 }')"
  who 2>/dev/null | awk '{ print "user\t" $1 }' | sort -u
  immy_logons
  if [ "$(uname -s)" = Darwin ]; then
    immy_say platform_uuid "$(ioreg -rd1 -c IOPlatformExpertDevice | sed -n 's/.*"IOPlatformUUID" = "\(.*\)".*/\1/p')"
    immy_say os "$(sw_vers -productName)"
    immy_say version "$(sw_vers -productVersion)"
    immy_say build "$(sw_vers -buildVersion)"
    immy_say memory "$(sysctl -n hw.memsize)"
    immy_say model "$(sysctl -n hw.model)"
    immy_say manufacturer Apple
    immy_say domain "$(hostname -f 2>/dev/null | sed -n 's/^[^.]*\.//p')"
    return 0
  fi
  for immy_file in /etc/machine-id /var/lib/dbus/machine-id; do
    immy_say machine_id "$(immy_first_line "$immy_file")"
  done
  immy_say product_uuid "$(immy_first_line /sys/class/dmi/id/product_uuid)"
  for immy_file in /etc/os-release /usr/lib/os-release; do
    [ -r "$immy_file" ] || continue
    sed -n 's/^\([A-Z_]*\)=/release_\1	/p' "$immy_file"
    break
  done
  immy_say memory "$(awk '$1 == "MemTotal:" { printf "%.0f", $2 * 1024 }' /proc/meminfo 2>/dev/null)"
  immy_say chassis "$(immy_first_line /sys/class/dmi/id/chassis_type)"
  immy_say manufacturer "$(immy_first_line /sys/class/dmi/id/sys_vendor)"
  immy_say model "$(immy_first_line /sys/class/dmi/id/product_name)"
  if [ -e /var/run/reboot-required ] || [ -e /run/reboot-required ]; then immy_say pending reboot_required; fi
  return 0
}

# Sections of facts by name.
immy_facts() {
  for immy_section in "$@"; do
    immy_say section "$immy_section"
    case $immy_section in
      hardware) immy_hardware ;;
      network) immy_network ;;
      users) immy_users ;;
    esac
  done
}

immy_hardware() {
  if [ "$(uname -s)" = Darwin ]; then
    immy_say processor "$(sysctl -n machdep.cpu.brand_string 2>/dev/null)"
    immy_say cores "$(sysctl -n hw.logicalcpu)"
    immy_say memory "$(sysctl -n hw.memsize)"
    immy_say serial "$(ioreg -rd1 -c IOPlatformExpertDevice | sed -n 's/.*"IOPlatformSerialNumber" = "\(.*\)".*/\1/p')"
    immy_say manufacturer Apple
    immy_say model "$(sysctl -n hw.model)"
  else
    immy_say processor "$(awk -F ': *' '/^(model name|Model|Hardware)/ { print $2; exit }' /proc/cpuinfo)"
    immy_say cores "$(getconf _NPROCESSORS_ONLN 2>/dev/null || grep -c '^processor' /proc/cpuinfo)"
    immy_say memory "$(awk '$1 == "MemTotal:" { printf "%.0f", $2 * 1024 }' /proc/meminfo)"
    immy_say serial "$(immy_first_line /sys/class/dmi/id/product_serial)"
    immy_say manufacturer "$(immy_first_line /sys/class/dmi/id/sys_vendor)"
    immy_say model "$(immy_first_line /sys/class/dmi/id/product_name)"
    for immy_disk in /sys/block/*; do
      case ${immy_disk##*/} in loop* | ram* | zram* | sr* | dm-* | '*') continue ;; esac
      printf 'drive\t%s\t%s\t%s\n' "${immy_disk##*/}" "$(immy_first_line "$immy_disk/size")" "$(immy_first_line "$immy_disk/device/model")"
    done
  fi
  df -Pk 2>/dev/null | awk 'NR > 1 && ($1 ~ /^\// || $6 == "/") {
    path = $6
    for (i = 7; i <= NF; i++) path = path " " $i
    print "disk\t" path "\t" $2 "\t" $4 }'
}

immy_network() {
  if immy_has ip; then
    ip -o addr show 2>/dev/null | awk '$3 == "inet" || $3 == "inet6" { print "address\t" $2 "\t" $3 "\t" $4 }'
    ip -o link show 2>/dev/null | awk '{ sub(":$", "", $2); sub("@.*", "", $2); for (i = 3; i < NF; i++) if ($i == "link/ether") print "mac\t" $2 "\t" $(i + 1) }'
    ip route show default 2>/dev/null | awk '{ for (i = 1; i < NF; i++) if ($i == "via") via = $(i + 1); else if ($i == "dev") dev = $(i + 1) } via { print "gateway\t" dev "\t" via; exit }'
  elif immy_has ifconfig; then
    ifconfig -a 2>/dev/null | awk '
      /^[A-Za-z0-9]/ { name = $1; sub(":$", "", name) }
      $1 == "inet" || $1 == "inet6" { sub("^addr:", "", $2); sub("%.*", "", $2); print "address\t" name "\t" $1 "\t" $2 }
      $1 == "ether" { print "mac\t" name "\t" $2 }'
    netstat -rn 2>/dev/null | awk '$1 == "default" || $1 == "0.0.0.0" { print "gateway\t" $NF "\t" $2; exit }'
  else
    for immy_link in /sys/class/net/*; do
      printf 'mac\t%s\t%s\n' "${immy_link##*/}" "$(immy_first_line "$immy_link/address")"
    done
  fi
  awk '$1 == "nameserver" { print "dns\t" $2 }' /etc/resolv.conf 2>/dev/null
}

# How people are logged on: as systemd-logind tells it, else as far as `who` does. The last field: whether there is a desktop.
immy_logons() {
  immy_ids=
  if immy_has loginctl; then immy_ids=$(loginctl list-sessions --no-legend 2>/dev/null | awk '{ print $1 }'); fi
  if [ -z "$immy_ids" ]; then
    who 2>/dev/null | awk '{ print "logon\t" $1 "\tunknown\t" ($2 ~ /^(:|console)/ || $NF ~ /^\(:/ ? 1 : 0) }'
    return 0
  fi
  for immy_id in $immy_ids; do
    loginctl show-session "$immy_id" -p Name -p Class -p Type -p Active -p State -p LockedHint 2>/dev/null | awk '
      { i = index($0, "="); v[substr($0, 1, i - 1)] = substr($0, i + 1) }
      END {
        if (v["Class"] !~ /^user/ || v["State"] == "closing" || v["Name"] == "") exit
        desktop = v["Type"] ~ /^(x11|wayland|mir)$/
        state = desktop && v["LockedHint"] == "yes" ? "locked" : desktop && v["Active"] != "yes" ? "disconnected" : "active"
        print "logon\t" v["Name"] "\t" state "\t" (desktop ? 1 : 0)
      }'
  done
}

immy_users() {
  who 2>/dev/null | awk '{ print $1 }' | sort -u | while read -r immy_name; do
    printf 'logged_on\t%s\t%s\n' "$immy_name" "$(id -u "$immy_name" 2>/dev/null)"
  done
  if [ "$(uname -s)" = Darwin ]; then
    dscl . -list /Users UniqueID 2>/dev/null | awk '$2 >= 500 { print "local\t" $1 "\t" $2 }'
  else
    awk -F : '($3 >= 1000 && $3 < 60000) || $3 == 0 { print "local\t" $1 "\t" $3 }' /etc/passwd
  fi
}

# Installed software of every package manager that is there; `unread WHY` where a list ended in an error.
immy_software() {
  if immy_has dpkg-query; then
    # shellcheck disable=SC2016 # dpkg's own variables
    immy_list dpkg-query -W -f='dpkg\t${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\t${Maintainer}\n'
  fi
  if immy_has rpm; then
    immy_list rpm -qa --qf 'rpm\tii\t%{NAME}\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\t%{ARCH}\t%{VENDOR}\t%{INSTALLTIME}\n'
  fi
  if immy_has apk; then
    immy_list apk info -v | sed -n -e '/^unread/p' -e 's/^\(.*\)-\([0-9][^-]*-r[0-9]*\)$/apk	ii	\1	\2		/p'
  fi
  if immy_has brew; then
    immy_list immy_brew list --versions | awk '/^unread/ { print; next } NF { print "brew\tii\t" $1 "\t" $NF "\t\tHomebrew" }'
  fi
  if immy_has system_profiler; then
    immy_ask system_profiler -json SPApplicationsDataType
    if [ "$immy_status" = 0 ]; then printf 'profiler\t%s\n' "$(printf '%s' "$immy_said" | immy_encode)"; else
      printf 'unread\t%s\n' "$(immy_no_answer system_profiler)"
    fi
  fi
}

# A program that lists packages, with its arguments. dpkg calls it an error that there is none.
immy_list() {
  immy_ask "$@"
  [ -z "$immy_said" ] || printf '%s\n' "$immy_said"
  case $immy_status$immy_said$immy_errors in
    0* | [0-9]'dpkg-query: no packages found'*) ;;
    *) printf 'unread\t%s\n' "$(immy_no_answer "$1")" ;;
  esac
}

immy_refuse() {
  printf '%s\n' "$1" >&2
  exit 64
}

# What could not be read of a list: `error INDEX WHY`.
immy_unread_of() { [ -z "$2" ] || printf 'error\t%s\t%s\n' "$1" "$2"; }

# manager, base64 names: lines `INDEX installed VERSION`, `INDEX candidate VERSION` and `INDEX candidate_error WHY`.
immy_packages() {
  immy_manager=$1
  shift
  if [ "$immy_manager" = apt ] && immy_has apt-cache; then
    immy_policy=$(for immy_name in "$@"; do printf '%s' "$immy_name" | immy_decode && echo; done |
      { set --; while IFS= read -r immy_name; do set -- "$@" "$immy_name"; done; immy_apt_policy "$@" 2>/dev/null; }) ||
      immy_policy= # each is asked by itself, and says why
  fi
  immy_index=0
  for immy_name in "$@"; do
    immy_text "$immy_name"
    immy_package_look "$immy_manager" "$immy_text"
    immy_unread_of "$immy_index" "$immy_unread"
    [ -z "$immy_unoffered" ] || printf '%s\tcandidate_error\t%s\n' "$immy_index" "$immy_unoffered"
    [ -z "$immy_installed" ] || printf '%s\tinstalled\t%s\n' "$immy_index" "$immy_installed"
    [ -z "$immy_candidate" ] || printf '%s\tcandidate\t%s\n' "$immy_index" "$immy_candidate"
    immy_index=$((immy_index + 1))
  done
}

# base64 names: `INDEX state startup`, as systemd, launchd or the init scripts have them.
immy_services() {
  immy_index=0
  for immy_name in "$@"; do
    immy_text "$immy_name"
    case $immy_text in
      -* | */*)
        immy_state=
        immy_unread="no service name: $immy_text"
        ;;
      *) immy_service "$immy_text" ;;
    esac
    immy_unread_of "$immy_index" "$immy_unread"
    [ -n "$immy_unread" ] || [ -z "$immy_state" ] || printf '%s\t%s\t%s\n' "$immy_index" "$immy_state" "$immy_startup"
    immy_index=$((immy_index + 1))
  done
}

# base64 paths: `INDEX mode size sha256`; - for what a folder does not have, ? for what nobody may read.
immy_files() {
  immy_index=0
  for immy_name in "$@"; do
    immy_text "$immy_name"
    immy_file=$immy_text
    case $immy_file in /*) ;; *) immy_file=./$immy_file ;; esac
    if [ -e "$immy_file" ]; then
      immy_mode=$(stat -L -c '%a %s' "$immy_file" 2>/dev/null || stat -L -f '%Mp%Lp %z' "$immy_file" 2>/dev/null) || immy_mode='? -'
      immy_sum=-
      if [ -f "$immy_file" ]; then
        immy_sum=$(immy_sha256 "$immy_file" 2>/dev/null)
        immy_sum=${immy_sum:-?}
      else
        immy_mode="${immy_mode% *} -"
      fi
      printf '%s\t%s\t%s\t%s\n' "$immy_index" "${immy_mode% *}" "${immy_mode#* }" "$immy_sum"
    else
      # The shell says no as well where it may not look.
      immy_ask ls -d -- "$immy_file"
      case $immy_status$immy_errors in
        0* | *'No such file'* | *'Not a directory'*) ;;
        *) immy_unread_of "$immy_index" "$(immy_no_answer ls)" ;;
      esac
    fi
    immy_index=$((immy_index + 1))
  done
}
