# shellcheck shell=bash
# Sourced: a process that outlives the script that started it, known by a record "PID START-TIME", because a PID
# alone may be somebody else's by now.

# recordOf PID: the record of a process that runs.
recordOf() { echo "$1 $(startTime "$1")"; }

# recordedProcess: reads a record from standard input and prints the PID, if that process still runs.
recordedProcess() {
  local pid start
  read -r pid start || return 1
  [[ -n $start && $(startTime "$pid") == "$start" ]] && printf '%s' "$pid"
}

startTime() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# awaitEnd PID SECONDS: fails if it has not ended by then.
awaitEnd() { timeout "$2" tail -f --pid="$1" /dev/null; }
