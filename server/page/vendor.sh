#!/bin/sh
# vendor.sh: bring the players of the page from npm into vendor/, which the next build embeds. Nothing of it is committed.
set -eu
cd "$(dirname "$0")"

hlsjs=1.7.4
shaka=5.2.12

command -v npm >/dev/null || { echo "vendor.sh: npm is not installed: install Node.js (https://nodejs.org), or go without: the page then plays through the browser's own HLS" >&2; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
(cd "$tmp" && npm pack --silent "hls.js@$hlsjs" "shaka-player@$shaka" >/dev/null)
mkdir -p vendor
take() { # package version, file: the file and the licence of its package
	tar -xzOf "$tmp/$1.tgz" "package/dist/$2" >"$tmp/file" && mv "$tmp/file" "vendor/$2"
	tar -xzOf "$tmp/$1.tgz" package/LICENSE >"$tmp/file" && mv "$tmp/file" "vendor/LICENSE.$2.txt"
	chmod 644 "vendor/$2" "vendor/LICENSE.$2.txt"
}
take "hls.js-$hlsjs" hls.min.js
take "shaka-player-$shaka" shaka-player.compiled.js
ls -l vendor
