awk '{ printf "%.1f\n", $1 / 86400 }' /proc/uptime
