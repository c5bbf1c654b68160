# shellcheck shell=bash
# Sourced: directories of the cache that appear complete or not at all, and are trusted only while
# every file in them has the hash that it was built with.

# Whether DIR is a whole tree with the bytes that it was built with.
isIntact() {
  [[ -s $1/MANIFEST.sha256 ]] && (cd "$1" && sha256sum --quiet --strict -c MANIFEST.sha256) >/dev/null 2>&1
}

# publishTree FROM DIR: notes the hashes of FROM and renames it to DIR, in place of what was there.
publishTree() {
  local from=$1 dir=$2
  (cd "$from" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) >"$from.manifest"
  mv "$from.manifest" "$from/MANIFEST.sha256"
  rm -rf "$dir"
  mv -T "$from" "$dir"
}

# makeCurrent DIR NAME: current/NAME becomes DIR in one step; a build that runs sees the old or the new.
makeCurrent() {
  local dir=$1 name=$2
  mkdir -p "$CACHE/current"
  [[ $(readlink "$CACHE/current/$name" || true) != "$dir" ]] || return 0
  ln -sfn "$dir" "$CACHE/current/.$name.$$"
  mv -T "$CACHE/current/.$name.$$" "$CACHE/current/$name"
}
