# shellcheck shell=bash
# Sourced: a line for each step with its seconds, and something that moves while a step takes long.
# Everything goes to standard error; standard output stays the command's.

readonly CACHE=${BOTHY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bothy}
readonly LOGS=$CACHE/logs
readonly TIMES=$CACHE/seconds       # what steps took here, a file each
readonly TICK_SECONDS=0.2           # on a terminal
readonly HEARTBEAT_SECONDS=30       # elsewhere: one line
readonly ANNOUNCED_SECONDS=10       # elsewhere, a step that takes longer is told when it begins
readonly FAILURE_LINES=25           # of a failed step's log

say() { printf '%s\n' "$*" >&2; }
fail() { say "$(basename "$0"): $*"; exit 1; }

asRoot() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "this needs root: run $0 as root, or install sudo"
  fi
}

# expected KEY DEFAULT: the seconds that the step KEY took here the last time, else DEFAULT.
expected() {
  local seconds=
  [[ ! -r $TIMES/$1 ]] || read -r seconds <"$TIMES/$1" || true
  [[ $seconds =~ ^[0-9]+$ ]] || seconds=$2
  printf '%s' "$seconds"
}

# inWords SECONDS: "8 min 12 s"
inWords() {
  if (($1 < 60)); then printf '%d s' "$1"; else printf '%d min %d s' $(($1 / 60)) $(($1 % 60)); fi
}

logOf() { printf '%s/%s.log' "$LOGS" "$(tr -cs 'A-Za-z0-9' '-' <<<"$1" | sed 's/-*$//')"; }

# widthOf: the columns of the terminal that standard error is.
widthOf() {
  local columns=
  read -r _ columns < <(stty size <&2 2>/dev/null) || true
  if ((${columns:-0} > 1)); then echo "$columns"; else echo 80; fi
}

# Ended by SIGKILL: with a trap for EXIT, bash would say on SIGTERM that it lost the child it waits for.
# What moves while PARENT's step runs: the seconds and the last line of its log.
showStep() {
  local parent=$1 title=$2 log=$3 begin=$SECONDS shown=$SECONDS last width
  while kill -0 "$parent" 2>/dev/null; do
    if [[ -t 2 ]]; then
      sleep $TICK_SECONDS
      last=$(tail -c 400 "$log" 2>/dev/null | tr '\r' '\n' | tr -cd '[:print:]\n' | tail -n 1)
      width=$(widthOf)
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

# goesOnLater COMMAND: Ctrl-C ends the script with a word, since COMMAND, run again, goes on where it was.
goesOnLater() {
  readonly AGAIN=$1
  trap interrupted INT
}

interrupted() {
  # Of the step under way; it ignores SIGINT.
  [[ -z ${ticker:-} ]] || kill -KILL "$ticker" 2>/dev/null || true
  [[ ! -t 2 ]] || printf '\r\033[K' >&2
  # A part of another script leaves the word to that.
  [[ -n ${BOTHY_PART:-} ]] || say "$(basename "$0"): interrupted; it goes on where it was: run $AGAIN again"
  exit 130
}

# announced TITLE ABOUT: the title with what is known of its time, told where nothing moves.
announced() {
  local text=$1
  [[ -z $2 ]] || text+=", about $(inWords "$2")"
  if [[ ! -t 2 && -n $2 ]] && (($2 > ANNOUNCED_SECONDS)); then say "    0 s  $text …"; fi
  printf '%s' "$text"
}

# endStep TITLE LOG STATUS SECONDS [KEY]: tells how a step went; its status becomes ours.
endStep() {
  local title=$1 log=$2 status=$3 seconds=$4 key=${5:-}
  if [[ $status -ne 0 ]]; then
    say "$(printf '%5d s  %s: FAILED (%d); the end of %s:' "$seconds" "$title" "$status" "$log")"
    tail -n $FAILURE_LINES "$log" | sed 's/^/         /' >&2
    return "$status"
  fi
  if [[ -n $key ]]; then
    mkdir -p "$TIMES"
    echo "$seconds" >"$TIMES/$key"
  fi
  say "$(printf '%5d s  %s' "$seconds" "$title")"
}

# step [--about KEY SECONDS] TITLE COMMAND...: runs COMMAND with its output in a log.  A failure shows
# the end of the log and becomes the status.  --about: how long it takes is told, SECONDS before the first time.
step() {
  local title log shown key='' about='' begin=$SECONDS status=0 ticker
  if [[ $1 == --about ]]; then
    key=$2 about=$(expected "$2" "$3")
    shift 3
  fi
  title=$1
  shift
  mkdir -p "$LOGS"
  log=$(logOf "$title")
  : >"$log"
  shown=$(announced "$title" "$about")
  showStep $$ "$shown" "$log" &
  ticker=$!
  "$@" >>"$log" 2>&1 </dev/null || status=$?
  kill -KILL $ticker 2>/dev/null || true
  wait $ticker 2>/dev/null || true
  [[ ! -t 2 ]] || printf '\r\033[K' >&2
  endStep "$title" "$log" $status $((SECONDS - begin)) "$key"
}

declare -A BESIDE=()      # the process group of each step that runs beside the others, by its title

# beside TITLE COMMAND...: begins a step that others go on beside.
beside() {
  local title=$1 log
  shift
  [[ ${#BESIDE[@]} -gt 0 ]] || trap endBeside EXIT
  mkdir -p "$LOGS"
  log=$(logOf "$title")
  : >"$log"
  rm -f "$log.end"
  set -m      # a process group of its own, so that all of it can be ended
  {
    set +m
    begin=$SECONDS status=0
    "$@" >>"$log" 2>&1 </dev/null || status=$?
    echo "$status $((SECONDS - begin))" >"$log.end"
  } &
  set +m
  BESIDE[$title]=$!
}

# await [--about KEY SECONDS] TITLE: waits for the end of such a step, and ends as `step` does.
await() {
  local title log shown key='' about='' status=1 seconds=0 ticker
  if [[ $1 == --about ]]; then
    key=$2 about=$(expected "$2" "$3")
    shift 3
  fi
  title=$1
  log=$(logOf "$title")
  if [[ ! -e $log.end ]]; then
    shown=$(announced "$title" "$about")
    showStep $$ "$shown" "$log" &
    ticker=$!
    wait "${BESIDE[$title]}" || true
    kill -KILL $ticker 2>/dev/null || true
    wait $ticker 2>/dev/null || true
    [[ ! -t 2 ]] || printf '\r\033[K' >&2
  fi
  unset "BESIDE[$title]"
  [[ ! -e $log.end ]] || read -r status seconds <"$log.end"
  rm -f "$log.end"
  endStep "$title" "$log" "$status" "$seconds" "$key"
}

# endEarly TITLE: ends such a step, whose work something else takes up.
endEarly() {
  kill -TERM -- "-${BESIDE[$1]}" 2>/dev/null || true
  wait "${BESIDE[$1]}" 2>/dev/null || true
  unset "BESIDE[$1]"
  rm -f "$(logOf "$1").end"
}

# Ends the steps that were begun and are not awaited any more.
endBeside() {
  local title
  for title in "${!BESIDE[@]}"; do
    asRoot kill -TERM -- "-${BESIDE[$title]}" 2>/dev/null || true
  done
}
