# Exit code 0: on mains power, or without a battery; 1: on battery; anything else: it cannot be told.
if [ "$(uname)" = Darwin ]; then
    said=$(pmset -g batt) || exit 2
    case $said in
        *"'AC Power'"*) exit 0 ;;
        *"'Battery Power'"* | *"'UPS Power'"*)
            echo "on battery" >&2
            exit 1
            ;;
        *) exit 2 ;;
    esac
fi
for folder in "${IMMY_POWER_FOLDER:-/sys/class/power_supply}"/*; do
    [ -r "$folder/type" ] || continue
    # The battery of a mouse is none of the computer's.
    [ "$(cat "$folder/scope" 2>/dev/null)" = Device ] && continue
    if [ "$(cat "$folder/type")" = Battery ] && [ "$(cat "$folder/status" 2>/dev/null)" = Discharging ]; then
        echo "on battery: $(cat "$folder/capacity" 2>/dev/null) % left" >&2
        exit 1
    fi
done
exit 0
