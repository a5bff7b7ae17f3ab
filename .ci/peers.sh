# .ci/peers.sh: the step "peers" of .ci/run, which sources this file: moqpack against software that others wrote, from the registries
# at exact versions. Every combination is a row of docs/INTEROP.md, which the step rewrites. "make interop" runs it; it is not among
# the steps that decide, because it builds two Rust programs (an hour on two cores, once) and fails where a peer does.
# shellcheck shell=bash

MOQ_RELAY=0.17.10
MOQ_CLI=0.14.10
rows=$tmp/rows

# crate NAME VERSION BINARY prints where the binary lies, built from crates.io if it is not there. Not --locked: the lock files of
# moq-relay and moq-cli name a webpki-roots that not every mirror has, and the newest that fits does as well.
crate() {
	local into=$tools/$1-$2
	if [ ! -x "$into/bin/$3" ]; then
		command -v cargo >/dev/null || { say "no cargo: install Rust to try $1" >&2; return 1; }
		CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --debug --root "$into" --bin "$3" "$1@$2" >"$ARTEFACTS/cargo-$1.log" 2>&1 ||
			{ tail -n 20 "$ARTEFACTS/cargo-$1.log" >&2; return 1; }
	fi
	say "$into/bin/$3"
}

# live FORMAT plays a test picture and a tone to stdout in real time: FORMAT is flv or fmp4.
live() {
	local mux=(-f flv -flvflags no_duration_filesize)
	[ "$1" = flv ] || mux=(-f mp4 -movflags cmaf+separate_moof+delay_moov+skip_trailer+frag_every_frame)
	ffmpeg -nostdin -hide_banner -loglevel error -re -f lavfi -i testsrc=size=320x180:rate=25 -f lavfi -i sine=frequency=440:sample_rate=48000 \
		-c:v libx264 -preset ultrafast -tune zerolatency -g 50 -bf 0 -pix_fmt yuv420p -c:a aac "${mux[@]}" -
}

# moq_import FORMAT PORT CLI [SCHEME VERSION] publishes FORMAT.hang at moq-relay, or at moqpack.
moq_import() {
	live "$1" | "$3" --connect "${4:-https}://localhost:$2" --connect-tls-insecure ${5:+--connect-version "$5"} --broadcast "$1.hang" import "$1"
}
export -f live moq_import

relay_up() { start moq-relay "$relay" --listen "127.0.0.1:$1" --listen-tls-generate localhost --auth-public '**'; }

# row PEER SCHEME ADDRESS DRAFT CATALOG PACKAGING NAMESPACE [THEN]: try it, once more if it fails, and write down what came of it. Where
# THEN is "restart", the relay is killed and started anew while moqpack is live, and what is decoded is what came after.
row() {
	local peer=$1 scheme=$2 draft=$4 catalog=$5 packaging=$6 then=${8:-} why result=works
	shift
	if ! why=$(attempt "$@"); then
		result="works the second time; the first: $why"
		why=$(attempt "$@") || result="**fails**: $why"
	fi
	[ "$scheme" = https ] && scheme=WebTransport || scheme=QUIC
	say "| $peer | $draft | $scheme | $catalog | $packaging | $then | $result |" | tee -a "$rows"
}

# attempt SCHEME ADDRESS DRAFT CATALOG PACKAGING NAMESPACE [THEN] serves and decodes it. If that fails it says why.
attempt() {
	local scheme=$1 at=$2 draft=$3 catalog=$4 packaging=$5 namespace=$6 then=${7:-} name log port failed=0 asked=$3
	name=$draft-$scheme-$catalog-$packaging$then
	log=serve-$name
	port=$(free_port tcp)
	start "$log" "$tmp/moqpack" serve -v --relay "$scheme://$at/?draft=$draft" --namespace "$namespace" --catalog "$catalog" --name peer \
		--insecure --http "127.0.0.1:$port"
	follow "$name" "http://127.0.0.1:$port/peer" "$then" "${at##*:}" || failed=1
	stop "$log" >/dev/null || { say "moqpack does not end on SIGINT"; failed=1; }
	[ "$draft" = 14 ] && asked=moq-00
	[ "$failed" = 1 ] || grep -q "phase=live.* draft=[a-z-]*$asked\b" "$ARTEFACTS/$log.log" || { say "another draft was agreed on"; failed=1; }
	return $failed
}

# follow NAME URL NOTE UDP says why it does not work, and fails.
follow() {
	local before media
	ready "$2" 40 || { last_words "$1"; return 1; }
	if [ "$3" = restart ]; then
		stop moq-relay >/dev/null 2>&1
		relay_up "$4"
		media=$(first_variant "$2/index.m3u8")
		before=$(next_segment "$media")
		until_ok 90 beyond "$media" $((before + 5)) >/dev/null || { say "not live again"; return 1; }
	fi
	decode "peer-$1-index" 8 "$2/index.m3u8" >/dev/null && decode "peer-$1-legacy" 8 "$2/legacy.m3u8" >/dev/null && return 0
	if grep -q 'ends prematurely at 0' "$ARTEFACTS/ffmpeg-peer-$1-"*.log; then
		say "media is missing, and listed as a gap"
		return 1
	fi
	say "ffmpeg: $(cat "$ARTEFACTS/ffmpeg-peer-$1-"*.log | grep -v "duplicated MOOV" | head -n 1 | sed "s, @ 0x[0-9a-f]*,," | tr '|' '/')"
	return 1
}

# to_us PEER SCHEME DRAFT NAMESPACE COMMAND...: a row about a publisher that connects to moqpack, which listens at PORT.
to_us() {
	local peer=$1 scheme=$2 draft=$3 namespace=$4 name=to-us-$3-$2 udp port result=works why
	shift 4
	udp=$(free_port udp)
	port=$(free_port tcp)
	start "serve-$name" "$tmp/moqpack" serve -v --listen "127.0.0.1:$udp" --namespace "$namespace" --name peer --http "127.0.0.1:$port"
	until_ok 10 get "http://127.0.0.1:$port/livez" >/dev/null || true
	start "publish-$name" "${@//PORT/$udp}"
	why=$(follow "$name" "http://127.0.0.1:$port/peer" "" "$udp") || result="**fails**: $why"
	stop "publish-$name" >/dev/null || true
	stop "serve-$name" >/dev/null || result="**fails**: moqpack does not end on SIGINT"
	[ "$scheme" = https ] && scheme=WebTransport || scheme=QUIC
	say "| $peer, which connects to us | $draft | $scheme | auto | cmaf |  | $result |" | tee -a "$rows"
}

ready() {
	until_ok "$2" get "$1/legacy.m3u8" >/dev/null && until_ok "$2" has_segments "$(first_variant "$1/legacy.m3u8")" 4 >/dev/null
}

# beyond URL N: the next segment is at least number N.
beyond() { [ "$(next_segment "$1")" -ge "$2" ]; }

# last_words NAME: what moqpack said last of why it is not live, without what differs from run to run.
last_words() {
	local said
	said=$(grep -o ' err=".*' "$ARTEFACTS/serve-$1.log" | tail -n 1)
	said=${said:-nothing arrives}
	sed -e 's/^ err=//' -e 's/127\.0\.0\.1:[0-9]*\|localhost:[0-9]*/the relay/g' -e 's/\\"/"/g' -e 's/|/\//g' <<<"$said"
}

# moq_dev: the relay and the publisher of github.com/moq-dev/moq. The publisher packages FLV as "legacy" and MP4 as CMAF, and always
# writes both catalogs. It publishes in its newest protocol; the relay turns that into the one that moqpack asks for.
moq_dev() {
	local relay cli udp draft peer="moq-relay $MOQ_RELAY, moq-cli $MOQ_CLI"
	relay=$(crate moq-relay "$MOQ_RELAY" moq-relay)
	cli=$(crate moq-cli "$MOQ_CLI" moq)
	udp=$(free_port udp)
	relay_up "$udp"
	start moq-fmp4 bash -c "moq_import fmp4 $udp $cli"
	for_drafts msf cmaf fmp4.hang & # the two at once: what they do most is to wait
	for_drafts hang cmaf fmp4.hang
	wait $!
	start moq-flv bash -c "moq_import flv $udp $cli"
	for draft in 18 moq-lite-05; do
		row "$peer" moqt "localhost:$udp" "$draft" hang legacy flv.hang
		row "$peer" moqt "localhost:$udp" "$draft" msf cmaf fmp4.hang restart
	done
	to_us "moq-cli $MOQ_CLI" moqt 16 fmp4.hang bash -c "moq_import fmp4 PORT $cli moqt moq-transport-16"
	to_us "moq-cli $MOQ_CLI" https 18 fmp4.hang bash -c "moq_import fmp4 PORT $cli https moq-transport-18"
	to_us "moq-cli $MOQ_CLI" https moq-lite-05 fmp4.hang bash -c "moq_import fmp4 PORT $cli https moq-lite-05"
	stop moq-flv || true
	stop moq-fmp4 || true
	stop moq-relay || true
}

# for_drafts CATALOG PACKAGING NAMESPACE: a row for every protocol of moq-relay.
for_drafts() {
	local draft
	for draft in 18 moq-lite-05 16 14 19 moq-lite-04 moq-lite-03 17 15; do row "$peer" moqt "localhost:$udp" "$draft" "$@"; done
}

# eyevinn: our publisher on their library, which is at its version in .ci/interop/moqtransport/go.mod.
eyevinn() {
	local udp draft peer protocol
	peer="Eyevinn/moqtransport $(sed -n 's/.*moqtransport \(v[0-9.]*\).*/\1/p' .ci/interop/moqtransport/go.mod | head -n 1)"
	(cd .ci/interop/moqtransport && go build -o "$tmp/publisher" .)
	for draft in 14 16; do
		udp=$(free_port udp)
		[ "$draft" = 14 ] && protocol=moq-00 || protocol=moqt-$draft
		start publisher-peer "$tmp/publisher" -listen "127.0.0.1:$udp" -protocol "$protocol" "${clips[@]}"
		row "$peer" moqt "127.0.0.1:$udp" "$draft" msf cmaf interop/studio1
		stop publisher-peer
		to_us "$peer" moqt "$draft" interop/studio1 "$tmp/publisher" -connect 127.0.0.1:PORT -protocol "$protocol" "${clips[@]}"
	done
}

step_peers() {
	: >"$rows"
	go build -o "$tmp/moqpack" ./cmd/moqpack
	eyevinn
	moq_dev
	table
	! grep -q 'fails' "$rows"
}

# table puts the rows into docs/INTEROP.md, between its two marks.
table() {
	local doc=docs/INTEROP.md
	{
		sed '/^<!-- rows -->$/q' "$doc"
		say "Run on $(date -u +%Y-%m-%d) at $(git rev-parse --short HEAD)."
		say
		say "| peer | draft | transport | catalog | packaging | then | result |"
		say "|---|---|---|---|---|---|---|"
		sort -V "$rows"
		sed -n '/^<!-- end of rows -->$/,$p' "$doc"
	} >"$tmp/interop.md"
	cp "$tmp/interop.md" "$doc"
}
