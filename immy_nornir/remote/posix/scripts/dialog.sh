# Asks the person at this desktop, or tells how long there is until the reboot; exits with the code of the answer: one of
# IMMY_CODES, 102 when nobody answered until IMMY_SECONDS have passed, 103 where nobody can be asked. Runs as that person.

immy_has() { command -v "$1" >/dev/null 2>&1; }

# Any program of this person that shows windows knows how to reach the desktop; one over SSH shows them elsewhere.
immy_reach() {
  for immy_file in /proc/[0-9]*/environ; do
    [ -r "$immy_file" ] || continue
    immy_said=$(tr '\0' '\n' <"$immy_file" 2>/dev/null) || continue
    immy_display=$(printf '%s\n' "$immy_said" | sed -n 's/^DISPLAY=//p' | head -n 1)
    immy_wayland=$(printf '%s\n' "$immy_said" | sed -n 's/^WAYLAND_DISPLAY=//p' | head -n 1)
    case $immy_display in localhost:* | 127.*) continue ;; esac
    [ -n "$immy_display$immy_wayland" ] || continue
    [ -z "$immy_display" ] || export DISPLAY="$immy_display"
    [ -z "$immy_wayland" ] || export WAYLAND_DISPLAY="$immy_wayland"
    for immy_name in XAUTHORITY DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR LANG LC_ALL LC_MESSAGES; do
      immy_value=$(printf '%s\n' "$immy_said" | sed -n "s/^$immy_name=//p" | head -n 1)
      [ -z "$immy_value" ] || export "$immy_name=$immy_value"
    done
    return 0
  done
  return 1
}

# The language of the person; the first one where the fleet has no text in it.
immy_language() {
  immy_wanted=${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}
  for immy_one in $IMMY_LANGUAGES; do
    case $immy_wanted in "$immy_one"*) printf '%s' "$immy_one"; return 0 ;; esac
  done
  printf '%s' "${IMMY_LANGUAGES%% *}"
}

immy_text() { eval "printf '%s' \"\${IMMY_$(printf '%s_%s' "$1" "$immy_tongue" | tr '[:lower:]-' '[:upper:]_'):-}\""; }

immy_limit() {
  if immy_has timeout; then timeout "$IMMY_SECONDS" "$@"; else "$@"; fi
}

immy_show() {
  immy_minutes=$(((IMMY_SECONDS + 59) / 60))
  immy_words="$(immy_text text)

$(immy_text rest | sed "s/%TIME%/$immy_minutes:00/")"
  set --
  for immy_code in $IMMY_CODES; do set -- "$@" "$immy_code" "$(immy_text "answer_$immy_code")"; done
  if immy_has zenity; then
    immy_limit zenity --list --title="$(immy_text title)" --text="$immy_words" --width=480 --height=320 --hide-header \
      --timeout="$IMMY_SECONDS" --column=code --column=answer --hide-column=1 --print-column=1 "$@" 2>/dev/null
  else
    immy_limit kdialog --title "$(immy_text title)" --menu "$immy_words" "$@" 2>/dev/null
  fi
}

immy_has zenity || immy_has kdialog || { echo 'neither zenity nor kdialog is installed'; exit 103; }
immy_reach || { echo 'no program of this user shows windows'; exit 103; }
immy_tongue=$(immy_language)
immy_said=$(immy_show)
for immy_code in $IMMY_CODES; do
  [ "$immy_said" != "$immy_code" ] || exit "$immy_code"
done
exit 102
