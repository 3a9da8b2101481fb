#!/usr/bin/env bash
# Builds the real programs that the interop tests and the benchmarks run beside: Headscale, tailscaled, tailscale, derper.
# Two Headscales: the current one as `headscale`, the one before it as `headscale-before`. Fills one cache folder per (versions, Go version, platform) and prints its bin folder on stdout; all else goes to stderr.
#
#   build-peers.sh            build what is missing
#   build-peers.sh --where    print the folder, build nothing; status 1 when it is not complete
#
#   HEADSCALE_VERSION, HEADSCALE_BEFORE_VERSION, TAILSCALE_VERSION   other versions than the pinned ones
#   BOWLINE_PEERS                                                    another folder
#
# Headscale is built inside a module of its own with a tool directive: it pins a tailscale.com of its own, so Tailscale's
# commands must not share its module, and `go install headscale@version` fails where a module proxy serves no version lists.
set -euo pipefail

headscale_version=${HEADSCALE_VERSION:-0.29.2}
before_version=${HEADSCALE_BEFORE_VERSION:-0.28.0}
tailscale_version=${TAILSCALE_VERSION:-1.102.5}
headscale_version=${headscale_version#v}
before_version=${before_version#v}
tailscale_version=${tailscale_version#v}
programs=(headscale headscale-before tailscaled tailscale derper)

fail() { echo "build-peers: $*" >&2; exit 1; }

command -v go >/dev/null || fail 'Go is not installed: https://go.dev/doc/install (1.26 builds the pinned versions)'
name="peers-headscale-$headscale_version-tailscale-$tailscale_version-$(go env GOVERSION)-$(go env GOOS)-$(go env GOARCH)"
folder=${BOWLINE_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/bowline-test/$name}
bin=$folder/bin

complete() {
  local program
  for program in "${programs[@]}"; do [[ -x $bin/$program ]] || return 1; done
}

if [[ ${1:-} == --where ]]; then
  echo "$bin"
  complete
  exit
fi
[[ $# -eq 0 ]] || fail "unknown argument: $1"
if complete; then
  echo "$bin"
  exit 0
fi

mkdir -p "$bin"
exec 9>"$folder/.lock"
if command -v flock >/dev/null; then flock 9; fi
work=$(mktemp -d "$folder/.work.XXXXXX")
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT

# Each program is built aside and moved into place whole, so that an interrupted build leaves nothing half made.
install_program() { mv -f "$work/out/$1" "$bin/$1"; echo "build-peers: built $1" >&2; }

# headscale PROGRAM VERSION: each version in a module of its own.
headscale() {
  local program=$1 version=$2
  local module=$work/$program
  [[ ! -x $bin/$program ]] || return 0
  echo "build-peers: building Headscale $version (some minutes)" >&2
  mkdir -p "$module" "$work/out"
  (
    cd "$module"
    go mod init "bowline-lab-$program"
    # Its own list of checksums comes first: a proxy's copy of the checksum database may lack what only Headscale uses.
    cp "$(go mod download -json "github.com/juanfont/headscale@v$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')/go.sum" .
    chmod u+w go.sum
    go get -tool "github.com/juanfont/headscale/cmd/headscale@v$version"
    go build -o "$work/out/$program" github.com/juanfont/headscale/cmd/headscale
  ) >&2 || fail "Headscale $version does not build"
  install_program "$program"
}
headscale headscale "$headscale_version"
headscale headscale-before "$before_version"

missing=()
for program in tailscaled tailscale derper; do
  [[ -x $bin/$program ]] || missing+=("tailscale.com/cmd/$program@v$tailscale_version")
done
if [[ ${#missing[@]} -gt 0 ]]; then
  echo "build-peers: building ${#missing[@]} program(s) of Tailscale $tailscale_version" >&2
  mkdir -p "$work/out"
  (cd "$work" && GOFLAGS= GOBIN="$work/out" go install "${missing[@]}") >&2 || fail "Tailscale $tailscale_version does not build"
  for package in "${missing[@]}"; do
    program=${package##*/}
    install_program "${program%@*}"
  done
fi

complete || fail "$bin is not complete"
echo "$bin"
