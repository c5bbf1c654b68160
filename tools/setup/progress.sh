# shellcheck shell=bash
# Sourced: a line for each step with its seconds, and something that moves while a step takes long.
# Everything goes to standard error; standard output stays the command's.

readonly CACHE=${BOTHY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bothy}
readonly LOGS=$CACHE/logs
readonly TICK_SECONDS=0.2           # on a terminal
readonly HEARTBEAT_SECONDS=30       # elsewhere: one line
readonly FAILURE_LINES=25           # of a failed step's log

say() { printf '%s\n' "$*" >&2; }
fail() { say "$(basename "$0"): $*"; exit 1; }

# What moves while PARENT's step runs: the seconds and the last line of its log.
showStep() {
  local parent=$1 title=$2 log=$3 begin=$SECONDS shown=$SECONDS last width
  while kill -0 "$parent" 2>/dev/null; do
    if [[ -t 2 ]]; then
      sleep $TICK_SECONDS
      last=$(tail -c 400 "$log" 2>/dev/null | tr '\r' '\n' | tr -cd '[:print:]\n' | tail -n 1)
      width=$(tput cols 2>/dev/null || echo 80)
      last=$(printf '%5d s  %s  %s' $((SECONDS - begin)) "$title" "$last")
      printf '\r\033[K%s' "${last:0:$((width - 1))}" >&2
    else
      sleep 1
      if ((SECONDS - shown >= HEARTBEAT_SECONDS)); then
        shown=$SECONDS
        say "$(printf '%5d s  %s …' $((SECONDS - begin)) "$title")"
      fi
    fi
  done
}

# step TITLE COMMAND...: runs COMMAND with its output in a log.  A failure shows the end of the log
# and becomes the status.
step() {
  local title=$1 log begin=$SECONDS status=0 ticker
  shift
  mkdir -p "$LOGS"
  log=$LOGS/$(tr -cs 'A-Za-z0-9' '-' <<<"$title" | sed 's/-*$//').log
  : >"$log"
  showStep $$ "$title" "$log" &
  ticker=$!
  "$@" >>"$log" 2>&1 </dev/null || status=$?
  kill $ticker 2>/dev/null || true
  wait $ticker 2>/dev/null || true
  [[ ! -t 2 ]] || printf '\r\033[K' >&2
  if [[ $status -ne 0 ]]; then
    say "$(printf '%5d s  %s: FAILED (%d); the end of %s:' $((SECONDS - begin)) "$title" $status "$log")"
    tail -n $FAILURE_LINES "$log" | sed 's/^/         /' >&2
    return $status
  fi
  say "$(printf '%5d s  %s' $((SECONDS - begin)) "$title")"
}
