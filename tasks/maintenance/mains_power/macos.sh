# Exit code 0: on mains power; 1: on battery; anything else: it cannot be told.
said=$(pmset -g batt) || exit 2
case $said in
    *"'AC Power'"*) exit 0 ;;
    *"'Battery Power'"* | *"'UPS Power'"*) echo "on battery" >&2; exit 1 ;;
    *) exit 2 ;;
esac
