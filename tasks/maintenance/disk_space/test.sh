# Exit code 0: enough free space; 1: not.
df -Pk / | awk -v least="$IMMY_LEAST_GB" 'NR == 2 { exit !($4 / 1048576 >= least) }'
