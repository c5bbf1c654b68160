# shellcheck shell=sh
# Characters are UTF-8 unless the client says otherwise.
: "${LANG:=C.UTF-8}"
export LANG
export EDITOR="${EDITOR:-vim}" PAGER="${PAGER:-less}" LESS="${LESS:--R}"
