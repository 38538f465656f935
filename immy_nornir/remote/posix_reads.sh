# Built-in reading operations. Each prints lines `name<TAB>value`; our side turns them into the wire's JSON.
# Arguments are base64. They change nothing. Needs posix_tools.sh before it.

LC_ALL=C
export LC_ALL

immy_say() { [ -z "$2" ] || printf '%s\t%s\n' "$1" "$2"; }
immy_first_line() { [ -r "$1" ] && head -n 1 "$1" 2>/dev/null; }

immy_identity() {
  immy_say kernel "$(uname -s)"
  immy_say name "$(uname -n)"
  immy_say alias "$(awk -v name="$(uname -n)" '!/^#/ { for (i = 2; i <= NF; i++) if (index($i, name ".") == 1) { print $i; exit } }' /etc/hosts 2>/dev/null)"
  immy_say machine "$(uname -m)"
  immy_say release "$(uname -r)"
  immy_say boot_id "$(immy_boot_id)"
  immy_say boot_time "$(immy_boot_time)"
  immy_say time "$(date +%s)"
  immy_say disk_free "$(df -Pk / 2>/dev/null | awk 'NR == 2 { print $4 }')"
  who 2>/dev/null | awk '{ print "user\t" $1 }' | sort -u
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
    immy_say cpu "$(sysctl -n machdep.cpu.brand_string 2>/dev/null)"
    immy_say threads "$(sysctl -n hw.logicalcpu)"
    immy_say memory "$(sysctl -n hw.memsize)"
    immy_say serial "$(ioreg -rd1 -c IOPlatformExpertDevice | sed -n 's/.*"IOPlatformSerialNumber" = "\(.*\)".*/\1/p')"
  else
    immy_say cpu "$(awk -F ': *' '/^(model name|Model|Hardware)/ { print $2; exit }' /proc/cpuinfo)"
    immy_say threads "$(getconf _NPROCESSORS_ONLN 2>/dev/null || grep -c '^processor' /proc/cpuinfo)"
    immy_say memory "$(awk '$1 == "MemTotal:" { printf "%.0f", $2 * 1024 }' /proc/meminfo)"
    immy_say serial "$(immy_first_line /sys/class/dmi/id/product_serial)"
    for immy_disk in /sys/block/*; do
      case ${immy_disk##*/} in loop* | ram* | zram* | sr* | dm-* | '*') continue ;; esac
      printf 'disk\t%s\t%s\t%s\n' "${immy_disk##*/}" "$(immy_first_line "$immy_disk/size")" "$(immy_first_line "$immy_disk/device/model")"
    done
  fi
  df -Pk 2>/dev/null | awk 'NR > 1 && ($1 ~ /^\// || $6 == "/") { path = $6; for (i = 7; i <= NF; i++) path = path " " $i; print "volume\t" path "\t" $2 "\t" $4 }'
}

immy_network() {
  if immy_has ip; then
    ip -o addr show 2>/dev/null | awk '$3 == "inet" || $3 == "inet6" { print "address\t" $2 "\t" $3 "\t" $4 }'
    ip -o link show 2>/dev/null | awk '{ sub(":$", "", $2); sub("@.*", "", $2); for (i = 3; i < NF; i++) if ($i == "link/ether") print "mac\t" $2 "\t" $(i + 1) }'
    immy_say gateway "$(ip route show default 2>/dev/null | awk '{ print $3; exit }')"
  elif immy_has ifconfig; then
    ifconfig -a 2>/dev/null | awk '
      /^[A-Za-z0-9]/ { name = $1; sub(":$", "", name) }
      $1 == "inet" || $1 == "inet6" { sub("^addr:", "", $2); sub("%.*", "", $2); print "address\t" name "\t" $1 "\t" $2 }
      $1 == "ether" { print "mac\t" name "\t" $2 }'
    immy_say gateway "$(netstat -rn 2>/dev/null | awk '$1 == "default" || $1 == "0.0.0.0" { print $2; exit }')"
  else
    for immy_link in /sys/class/net/*; do
      printf 'mac\t%s\t%s\n' "${immy_link##*/}" "$(immy_first_line "$immy_link/address")"
    done
  fi
  awk '$1 == "nameserver" { print "dns\t" $2 }' /etc/resolv.conf 2>/dev/null
}

immy_users() {
  who 2>/dev/null | awk '{ print "logged_on\t" $1 }' | sort -u
  if [ "$(uname -s)" = Darwin ]; then
    dscl . -list /Users UniqueID 2>/dev/null | awk '$2 >= 500 { print "local\t" $1 "\t" $2 }'
  else
    awk -F : '($3 >= 1000 && $3 < 60000) || $3 == 0 { print "local\t" $1 "\t" $3 }' /etc/passwd
  fi
}

# Installed software of every package manager that is there.
immy_software() {
  if immy_has dpkg-query; then
    # shellcheck disable=SC2016 # dpkg's own variables
    dpkg-query -W -f='dpkg\t${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\t${Maintainer}\n' 2>/dev/null
  fi
  if immy_has rpm; then
    rpm -qa --qf 'rpm\tii\t%{NAME}\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\t%{ARCH}\t%{VENDOR}\t%{INSTALLTIME}\n' 2>/dev/null
  fi
  if immy_has apk; then
    apk info -v 2>/dev/null | sed -n 's/^\(.*\)-\([0-9][^-]*-r[0-9]*\)$/apk	ii	\1	\2		/p'
  fi
  if immy_has brew; then
    immy_brew list --versions 2>/dev/null | awk '{ print "brew\tii\t" $1 "\t" $NF "\t\tHomebrew" }'
  fi
  if immy_has system_profiler; then
    printf 'profiler\t%s\n' "$(system_profiler -json SPApplicationsDataType 2>/dev/null | immy_encode)"
  fi
}

# Homebrew refuses root: it runs as the owner of its folder.
immy_brew() {
  if [ "$(id -u)" = 0 ]; then
    immy_owner=$(stat -L -f %Su "$(command -v brew)" 2>/dev/null || stat -L -c %U "$(command -v brew)")
    sudo -n -H -u "$immy_owner" env HOMEBREW_NO_AUTO_UPDATE=1 brew "$@"
  else
    HOMEBREW_NO_AUTO_UPDATE=1 brew "$@"
  fi
}

# manager, base64 names: lines `INDEX installed VERSION` and `INDEX candidate VERSION`.
immy_packages() {
  immy_manager=$1
  shift
  case $immy_manager in
    apt) immy_has dpkg-query || immy_refuse 'this computer has no dpkg: it does not use apt' ;;
    *) immy_has "$immy_manager" || immy_refuse "this computer has no $immy_manager" ;;
  esac
  immy_index=0
  for immy_name in "$@"; do
    immy_text "$immy_name"
    case $immy_text in -*) immy_refuse "a package name does not begin with a minus: $immy_text" ;; esac
    case $immy_manager in
      apt) immy_apt "$immy_text" ;;
      brew) immy_installed=$(immy_brew list --versions "$immy_text" 2>/dev/null | awk '{ print $NF }')
        immy_candidate=$(immy_brew info "$immy_text" 2>/dev/null | sed -n '1s/.*stable \([^ ,]*\).*/\1/p') ;;
      dnf | yum) immy_installed=$(rpm -q --qf '%{VERSION}-%{RELEASE}\n' "$immy_text" 2>/dev/null | awk '!/not installed/ { v = $0 } END { print v }')
        immy_candidate=$("$immy_manager" -q list available "$immy_text" 2>/dev/null | awk 'NF >= 3 { v = $2 } END { print v }')
        immy_candidate=${immy_candidate:-$immy_installed} ;;
    esac
    [ -z "$immy_installed" ] || printf '%s\tinstalled\t%s\n' "$immy_index" "$immy_installed"
    [ -z "$immy_candidate" ] || printf '%s\tcandidate\t%s\n' "$immy_index" "$immy_candidate"
    immy_index=$((immy_index + 1))
  done
}

# A name, or the path of a .deb whose package is meant.
immy_apt() {
  immy_package=$1
  immy_candidate=
  case $1 in
    /*.deb)
      immy_package=$(dpkg-deb -f "$1" Package) && immy_candidate=$(dpkg-deb -f "$1" Version) || immy_refuse "no Debian package: $1"
      ;;
    *) immy_has apt-cache && immy_candidate=$(apt-cache policy -- "$1" 2>/dev/null | awk '$1 == "Candidate:" && $2 != "(none)" { print $2; exit }') ;;
  esac
  # shellcheck disable=SC2016
  immy_installed=$(dpkg-query -W -f='${db:Status-Status} ${Version}\n' -- "$immy_package" 2>/dev/null | awk '$1 == "installed" { print $2; exit }')
}

immy_refuse() {
  printf '%s\n' "$1" >&2
  exit 64
}

# base64 names: `INDEX state startup`, as systemd, launchd or the init scripts have them.
immy_services() {
  immy_index=0
  for immy_name in "$@"; do
    immy_text "$immy_name"
    case $immy_text in -* | */*) immy_refuse "no service name: $immy_text" ;; esac
    immy_service "$immy_text"
    [ -z "$immy_state" ] || printf '%s\t%s\t%s\n' "$immy_index" "$immy_state" "$immy_startup"
    immy_index=$((immy_index + 1))
  done
}

immy_service() {
  immy_state=
  immy_startup=disabled
  if [ -d /run/systemd/system ]; then
    immy_shown=$(systemctl show -p LoadState -p ActiveState -p UnitFileState -- "$1" 2>/dev/null)
    case $immy_shown in *LoadState=loaded* | *LoadState=masked*) ;; *) return 0 ;; esac
    case $immy_shown in
      *ActiveState=active*) immy_state=running ;;
      *ActiveState=inactive* | *ActiveState=failed*) immy_state=stopped ;;
      *) immy_state=other ;;
    esac
    case $immy_shown in
      *UnitFileState=enabled* | *UnitFileState=generated*) immy_startup=automatic ;;
      *UnitFileState=static* | *UnitFileState=indirect* | *UnitFileState=alias* | *UnitFileState=linked*) immy_startup=manual ;;
    esac
    # An init script that systemd wraps is `generated` whether or not a runlevel starts it.
    case $immy_shown in *UnitFileState=generated*) immy_runlevels "$1" ;; esac
  elif [ "$(uname -s)" = Darwin ]; then
    immy_shown=$(launchctl print "system/$1" 2>/dev/null) || return 0
    case $immy_shown in *'state = running'*) immy_state=running ;; *) immy_state=stopped ;; esac
    launchctl print-disabled system 2>/dev/null | grep -q "\"$1\" => \(true\|disabled\)" || immy_startup=automatic
  elif [ -e "/etc/init.d/$1" ]; then
    if immy_has service; then service "$1" status >/dev/null 2>&1; else "/etc/init.d/$1" status >/dev/null 2>&1; fi
    case $? in 0) immy_state=running ;; 1 | 2 | 3) immy_state=stopped ;; *) immy_state=other ;; esac
    immy_runlevels "$1"
  fi
}

immy_runlevels() {
  immy_startup=disabled
  for immy_file in /etc/rc[2-5].d/S[0-9][0-9]"$1" /etc/runlevels/default/"$1"; do
    if [ -e "$immy_file" ] || [ -L "$immy_file" ]; then immy_startup=automatic; fi
  done
}

# base64 paths: `INDEX mode size sha256`; - for what a folder or an unreadable file does not have.
immy_files() {
  immy_index=0
  for immy_name in "$@"; do
    immy_text "$immy_name"
    immy_file=$immy_text
    case $immy_file in /*) ;; *) immy_file=./$immy_file ;; esac
    if [ -e "$immy_file" ]; then
      immy_mode=$(stat -L -c '%a %s' "$immy_file" 2>/dev/null || stat -L -f '%Mp%Lp %z' "$immy_file")
      immy_sum=-
      if [ -f "$immy_file" ]; then
        immy_sum=$(immy_sha256 "$immy_file" 2>/dev/null)
      else
        immy_mode="${immy_mode% *} -"
      fi
      printf '%s\t%s\t%s\t%s\n' "$immy_index" "${immy_mode% *}" "${immy_mode#* }" "${immy_sum:--}"
    fi
    immy_index=$((immy_index + 1))
  done
}
