#include "command/completion-scripts.h"

namespace bothy {
namespace {

constexpr kj::StringPtr BASH =
    R"SCRIPT(# Completion of bothy for bash: source <(bothy completion bash)
_bothy() {
  # bash splits words at "=" and ":" too: put together what stands together.
  local rest=${COMP_LINE:0:COMP_POINT} words=() word i apart
  for ((i = 0; i <= COMP_CWORD; i++)); do
    apart=
    [[ $rest == [[:blank:]]* ]] && apart=1
    rest=${rest#"${rest%%[![:blank:]]*}"}
    word=${COMP_WORDS[i]}
    ((i == COMP_CWORD)) && word=$rest
    if [[ $i -eq 0 || $apart ]]; then
      words+=("$word")
    else
      words[${#words[@]}-1]+=$word
    fi
    rest=${rest#"$word"}
  done
  local current=${words[${#words[@]}-1]} cut= line file
  [[ $current == *[=:]* && $COMP_WORDBREAKS == *:* ]] && cut=${current%"${current##*[=:]}"}
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == $'\t:files' ]]; then
      while IFS= read -r file; do
        [[ -d $file ]] && file+=/ && compopt -o nospace 2>/dev/null
        COMPREPLY+=("$(printf %q "${file#"$cut"}")")
      done < <(compgen -f -- "${current#"$cut"}")
      continue
    fi
    word=${line%%$'\t'*}
    [[ $word == *[=:] ]] && compopt -o nospace 2>/dev/null
    COMPREPLY+=("${word#"$cut"}")
  done < <("${words[0]}" completion -- "${words[@]:1}" 2>/dev/null)
}
complete -F _bothy bothy
)SCRIPT"_kj;

constexpr kj::StringPtr ZSH = R"SCRIPT(#compdef bothy
# Completion of bothy for zsh: source <(bothy completion zsh), or as _bothy in a directory of $fpath
_bothy() {
  local line word files=0
  local -a described plain
  while IFS= read -r line; do
    if [[ $line == $'\t:files' ]]; then
      files=1
      continue
    fi
    word=${line%%$'\t'*}
    if [[ $word == *[=:] ]]; then
      plain+=("$word")
    else
      described+=("${word//:/\\:}:${line#*$'\t'}")
    fi
  done < <("${words[1]}" completion -- "${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)
  (( $#plain )) && compadd -S '' -- "${plain[@]}"
  (( $#described )) && _describe bothy described
  (( files )) && _files
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _bothy "$@"
else
  compdef _bothy bothy
fi
)SCRIPT"_kj;

constexpr kj::StringPtr FISH =
    R"SCRIPT(# Completion of bothy for fish: bothy completion fish | source
function __bothy_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    for line in ($program completion -- $words "$current" 2>/dev/null)
        if test "$line" = \t:files
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete -c bothy -f -a '(__bothy_complete)'
)SCRIPT"_kj;

}  // namespace

kj::Maybe<kj::StringPtr> completionScript(kj::StringPtr shell) {
  if (shell == "bash") return BASH;
  if (shell == "zsh") return ZSH;
  if (shell == "fish") return FISH;
  return nullptr;
}

}  // namespace bothy
