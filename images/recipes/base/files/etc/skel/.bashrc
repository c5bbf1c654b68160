# Read by every interactive bash; the login shell comes here from ~/.profile.
case $- in
  *i*) ;;
  *) return ;;
esac

HISTCONTROL=ignoreboth
HISTSIZE=10000
HISTFILESIZE=20000
shopt -s histappend checkwinsize globstar

alias ls='ls --color=auto' ll='ls -l' la='ls -A' grep='grep --color=auto' diff='diff --color=auto'
[ -r ~/.bash_aliases ] && . ~/.bash_aliases

# Completion is read at the first Tab, and git's prompt in the first repository: a shell starts at once.
__complete_first() {
  . /usr/share/bash-completion/bash_completion   # puts another in this one's place
  _completion_loader "$@"
}
[ -r /usr/share/bash-completion/bash_completion ] && complete -D -F __complete_first

# Whether the directory is in a repository, without a process.
__in_repository() {
  local at=$PWD
  [ -n "$GIT_DIR" ] && return
  until [ -e "$at/.git" ]; do
    [ -n "$at" ] || return 1
    at=${at%/*}
  done
}

# user@host:directory (branch) [status of the last command, if it failed] $
__prompt() {
  local status=$? branch=
  if __in_repository; then
    declare -F __git_ps1 >/dev/null || . /usr/lib/git-core/git-sh-prompt 2>/dev/null
    declare -F __git_ps1 >/dev/null && branch=$(__git_ps1 ' (%s)')
  fi
  [ $status -eq 0 ] && status= || status=" [$status]"
  if [ "${TERM:-dumb}" = dumb ]; then
    PS1="\u@\h:\w$branch$status\\$ "
  else
    PS1="\[\e[1;32m\]\u@\h\[\e[0m\]:\[\e[1;34m\]\w\[\e[0;33m\]$branch\[\e[1;31m\]$status\[\e[0m\]\\$ "
    # The title of the window.
    case $TERM in xterm*|tmux*|screen*) PS1="\[\e]0;\u@\h: \w\a\]$PS1" ;; esac
  fi
}
PROMPT_COMMAND=__prompt
