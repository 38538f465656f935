# How packages and services are: shared by the reading operations and by jobs. The caller says what immy_refuse does.
# Needs tools.sh before it. A program that gives no answer says nothing of what is there.

# Homebrew refuses root: it runs as the owner of its folder.
immy_brew() {
  if [ "$(id -u)" = 0 ]; then
    immy_owner=$(stat -L -f %Su "$(command -v brew)" 2>/dev/null || stat -L -c %U "$(command -v brew)")
    sudo -n -H -u "$immy_owner" env HOMEBREW_NO_AUTO_UPDATE=1 brew "$@"
  else
    HOMEBREW_NO_AUTO_UPDATE=1 brew "$@"
  fi
}

# A program and its arguments: what it prints in immy_said, its exit code in immy_status, and where that is not 0, its
# errors in immy_errors.
immy_ask() {
  immy_status=0
  immy_errors=
  immy_said=$("$@" 2>/dev/null) || immy_status=$?
  [ "$immy_status" = 0 ] || immy_errors=$("$@" 2>&1 >/dev/null)
}
# Why a program gave no answer, on one line.
immy_no_answer() {
  printf '%s ended with exit code %s: %s' "$1" "$immy_status" "$(printf '%s\n' "${immy_errors:-$immy_said}" | tail -n 1)" |
    tr '\t\n' '  '
}

# manager, name: what is installed and what could be, in immy_installed and immy_candidate (empty: nothing). Where that
# cannot be told immy_unread says why, and where only the second cannot, immy_unoffered.
immy_package_look() {
  case $1 in
    apt) immy_has dpkg-query || immy_refuse 'this computer has no dpkg: it does not use apt' ;;
    *) immy_has "$1" || immy_refuse "this computer has no $1" ;;
  esac
  immy_installed=
  immy_candidate=
  immy_unread=
  immy_unoffered=
  case $2 in '' | -*)
    immy_unread="no package name: $2"
    return 0
    ;;
  esac
  case $1 in
    apt) immy_apt_look "$2" ;;
    brew) immy_brew_look "$2" ;;
    dnf | yum) immy_rpm_look "$1" "$2" ;;
    *) immy_unread="there is no package manager '$1' here" ;;
  esac
}

immy_brew_look() {
  immy_ask immy_brew list --versions "$1"
  case $immy_status$immy_errors in
    0*) immy_installed=$(printf '%s\n' "$immy_said" | awk 'NF { v = $NF } END { print v }') ;;
    *[!0-9]*)
      case $immy_errors in
        *'No such keg'* | *'No available formula'* | *'not installed'*) ;;
        *) immy_unread=$(immy_no_answer brew) && return 0 ;;
      esac
      ;;
  esac
  immy_ask immy_brew info "$1"
  case $immy_status$immy_errors in
    0*) immy_candidate=$(printf '%s\n' "$immy_said" | sed -n '1s/.*stable \([^ ,]*\).*/\1/p') ;;
    *'No available formula'* | *'No formulae'*) ;;
    *) immy_unoffered=$(immy_no_answer brew) ;;
  esac
}

immy_rpm_look() {
  immy_ask rpm -q --qf '%{VERSION}-%{RELEASE}\n' "$2"
  case $immy_status$immy_said in
    0*) immy_installed=$(printf '%s\n' "$immy_said" | awk 'NF { v = $0 } END { print v }') ;;
    *'not installed'*) ;;
    *) immy_unread=$(immy_no_answer rpm) && return 0 ;;
  esac
  immy_ask "$1" -q list available "$2"
  case $immy_status$immy_errors$immy_said in
    0*)
      immy_candidate=$(printf '%s\n' "$immy_said" | awk 'NF >= 3 { v = $2 } END { print v }')
      immy_candidate=${immy_candidate:-$immy_installed}
      ;;
    *'No matching'* | *'No Packages'*) immy_candidate=$immy_installed ;;
    *) immy_unoffered=$(immy_no_answer "$1") ;;
  esac
}

# A name, or the path of a .deb whose package is meant; its name in immy_package.
immy_apt_look() {
  immy_package=$1
  case $1 in
    /*.deb)
      immy_ask dpkg-deb -f "$1" Package
      if [ "$immy_status" != 0 ]; then
        immy_unread="no Debian package: $1: $(immy_no_answer dpkg-deb)"
        return 0
      fi
      immy_package=$immy_said
      immy_candidate=$(dpkg-deb -f "$1" Version)
      ;;
    *) immy_apt_candidate "$1" ;;
  esac
  # shellcheck disable=SC2016 # dpkg's own variables
  immy_ask dpkg-query -W -f='${db:Status-Status} ${Version}\n' -- "$immy_package"
  case $immy_status$immy_errors in
    0*) ;;
    *'no packages found'*) return 0 ;;
    *) immy_unread=$(immy_no_answer dpkg-query) && return 0 ;;
  esac
  immy_installed=$(printf '%s\n' "$immy_said" | awk '$1 == "installed" || $1 ~ /^triggers-/ { print $2; exit }')
  [ -n "$immy_installed" ] || case $immy_said in
    *half-* | *unpacked*) immy_unread="dpkg-query says that its state is $immy_said" ;;
  esac
}

# apt-cache takes its time for each call: immy_policy may hold what it says of all names.
immy_apt_candidate() {
  immy_has apt-cache || return 0
  if [ -n "$immy_policy" ]; then immy_said=$immy_policy; else
    immy_ask immy_apt_policy "$1"
    if [ "$immy_status" != 0 ]; then
      immy_unoffered=$(immy_no_answer apt-cache)
      return 0
    fi
  fi
  immy_candidate=$(printf '%s\n' "$immy_said" |
    awk -v name="$1:" '/^[^ ]/ { here = $0 == name } here && $1 == "Candidate:" && $2 != "(none)" { print $2; exit }')
}
immy_apt_policy() { LC_ALL=C apt-cache policy -- "$@"; }

# A service's state and start-up, in immy_state and immy_startup; the first is empty when there is none, and where that
# cannot be told immy_unread says why.
immy_service() {
  immy_state=
  immy_unread=
  immy_startup=disabled
  if [ -d /run/systemd/system ]; then
    immy_ask systemctl show -p LoadState -p ActiveState -p UnitFileState -- "$1"
    immy_shown=$immy_said
    case $immy_status$immy_shown in
      0*LoadState=loaded* | 0*LoadState=masked*) ;;
      0*LoadState=not-found*) return 0 ;;
      *) immy_unread=$(immy_no_answer systemctl) && return 0 ;;
    esac
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
    immy_ask launchctl print "system/$1"
    case $immy_status$immy_errors in
      0*) ;;
      113* | *'Could not find'*) return 0 ;;
      *) immy_unread=$(immy_no_answer launchctl) && return 0 ;;
    esac
    immy_shown=$immy_said
    case $immy_shown in *'state = running'*) immy_state=running ;; *) immy_state=stopped ;; esac
    launchctl print-disabled system 2>/dev/null | grep -q "\"$1\" => \(true\|disabled\)" || immy_startup=automatic
  elif [ -e "/etc/init.d/$1" ]; then
    if immy_has service; then service "$1" status >/dev/null 2>&1; else "/etc/init.d/$1" status >/dev/null 2>&1; fi
    case $? in
      0) immy_state=running ;;
      1 | 2 | 3) immy_state=stopped ;;
      4) immy_unread="its init script says that its state is not known" ;; # LSB
      *) immy_state=other ;;
    esac
    immy_runlevels "$1"
  fi
}

immy_runlevels() {
  immy_startup=disabled
  for immy_file in /etc/rc[2-5].d/S[0-9][0-9]"$1" /etc/runlevels/default/"$1"; do
    if [ -e "$immy_file" ] || [ -L "$immy_file" ]; then immy_startup=automatic; fi
  done
}
