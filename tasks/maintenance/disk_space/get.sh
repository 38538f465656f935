# Free gigabytes on the root file system.
df -Pk / | awk 'NR == 2 { printf "%.1f\n", $4 / 1048576 }'
