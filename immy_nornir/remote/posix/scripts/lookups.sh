# How packages and services are: shared by the reading operations and by jobs. The caller says what immy_refuse does.
# Needs tools.sh before it.

# Homebrew refuses root: it runs as the owner of its folder.
immy_brew() {
  if [ "$(id -u)" = 0 ]; then
    immy_owner=$(stat -L -f %Su "$(command -v brew)" 2>/dev/null || stat -L -c %U "$(command -v brew)")
    sudo -n -H -u "$immy_owner" env HOMEBREW_NO_AUTO_UPDATE=1 brew "$@"
  else
    HOMEBREW_NO_AUTO_UPDATE=1 brew "$@"
  fi
}

# manager, name: what is installed and what could be, in immy_installed and immy_candidate (empty: nothing).
immy_package_look() {
  case $1 in
    apt) immy_has dpkg-query || immy_refuse 'this computer has no dpkg: it does not use apt' ;;
    *) immy_has "$1" || immy_refuse "this computer has no $1" ;;
  esac
  case $2 in '' | -*) immy_refuse "no package name: $2" ;; esac
  immy_installed=
  immy_candidate=
  case $1 in
    apt) immy_apt_look "$2" ;;
    brew)
      immy_installed=$(immy_brew list --versions "$2" 2>/dev/null | awk '{ print $NF }')
      immy_candidate=$(immy_brew info "$2" 2>/dev/null | sed -n '1s/.*stable \([^ ,]*\).*/\1/p')
      ;;
    dnf | yum)
      immy_installed=$(rpm -q --qf '%{VERSION}-%{RELEASE}\n' "$2" 2>/dev/null | awk '!/not installed/ { v = $0 } END { print v }')
      immy_candidate=$("$1" -q list available "$2" 2>/dev/null | awk 'NF >= 3 { v = $2 } END { print v }')
      immy_candidate=${immy_candidate:-$immy_installed}
      ;;
  esac
}

# A name, or the path of a .deb whose package is meant; its name in immy_package.
immy_apt_look() {
  immy_package=$1
  case $1 in
    /*.deb)
      immy_package=$(dpkg-deb -f "$1" Package 2>/dev/null) || immy_refuse "no Debian package: $1"
      immy_candidate=$(dpkg-deb -f "$1" Version)
      ;;
    *) immy_candidate=$(immy_apt_candidate "$1") ;;
  esac
  # shellcheck disable=SC2016 # dpkg's own variables
  immy_installed=$(dpkg-query -W -f='${db:Status-Status} ${Version}\n' -- "$immy_package" 2>/dev/null |
    awk '$1 == "installed" { print $2; exit }')
}

# apt-cache takes its time for each call: immy_policy may hold what it says of all names.
immy_apt_candidate() {
  immy_has apt-cache || return 0
  if [ -n "$immy_policy" ]; then printf '%s\n' "$immy_policy"; else immy_apt_policy "$1"; fi |
    awk -v name="$1:" '/^[^ ]/ { here = $0 == name } here && $1 == "Candidate:" && $2 != "(none)" { print $2; exit }'
}
immy_apt_policy() { LC_ALL=C apt-cache policy -- "$@" 2>/dev/null; }

# A service's state and start-up, in immy_state and immy_startup; the first is empty when there is none.
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
