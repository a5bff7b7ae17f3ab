# .ci/peers.sh: moqpack against software that others wrote, from the registries at exact versions; .ci/run sources this file. Every
# combination is a row of docs/INTEROP.md, which the step "peers" rewrites ("make interop"). It is not among the steps that decide,
# because it builds four Rust programs (an hour on two cores, once) and fails where a peer does; "subset" is what .ci/run has of it.
# shellcheck shell=bash disable=SC2154 # the lower-case names that a peer sets for its rows

MOQ_RELAY=0.17.10
MOQ_CLI=0.14.10
MOQ_RELAY_IETF=0.8.0
MOQ_PUB=0.10.0
AIOMOQT=0.13.3
AIOPQUIC=0.6.1
rows=$tmp/rows

# ------------------------------------------------------------------------------------------------------------- the registries

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

# python_for_aiomoqt prints a Python that it takes: 3.12 or later, wherever pyenv keeps it.
python_for_aiomoqt() {
	local p
	for p in python3 python3.14 python3.13 python3.12 "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python3; do
		p=$(command -v "$p") && "$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && { say "$p"; return; }
	done
	return 1
}

# wheel prints the Python that has aiomoqt, installed from PyPI if it is not there.
wheel() {
	local into=$tools/aiomoqt-$AIOMOQT python
	if [ ! -f "$into/whole" ]; then
		python=$(python_for_aiomoqt) || { say "no Python 3.12 or later with venv" >&2; return 1; }
		"$python" -m venv --clear "$into" && "$into/bin/pip" install --quiet "aiomoqt==$AIOMOQT" "aiopquic==$AIOPQUIC" >&2 || return 1
		touch "$into/whole"
	fi
	say "$into/bin/python"
}

# certificate makes one for localhost, which browsers take too if they are told its key's hash.
certificate() {
	[ -f "$tmp/cert.pem" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$tmp/key.pem" \
		-out "$tmp/cert.pem" -days 10 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>"$ARTEFACTS/openssl.log"
}

key_hash() { openssl x509 -in "$tmp/cert.pem" -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64; }

# ------------------------------------------------------------------------------------------------------------------- the rows

# row SCHEME ADDRESS DRAFT CATALOG PACKAGING NAMESPACE [THEN]: try it, once more if it fails, and write down what came of it. The
# peer's name is in $peer, and what its files are called in $who. Where THEN is "restart", the relay is killed and started anew
# while moqpack is live, and what is decoded is what came after. Where it is "played", browsers play it, too.
row() {
	local scheme=$1 draft=$3 catalog=$4 packaging=$5 then=${7:-} name try
	name=$(tr -c 'a-z0-9\n' - <<<"$who-$draft-$scheme-$catalog-$5-$then")
	for try in 1 2; do attempt "$@" && break; done
	note "$peer" "$draft" "$scheme" "$catalog" "$packaging" "$then"
}

# note PEER DRAFT SCHEME CATALOG PACKAGING THEN writes the row of $name down.
note() {
	local scheme=QUIC then=$6
	[ "$3" = https ] && scheme=WebTransport
	[ "$then" = played ] && then=
	say "| $1 | $2 | $scheme | $4 | $5 | $then | $(verdict hls) | $(verdict dash) | $(verdict browser) |" | tee -a "$rows"
}

# came WHAT WORDS: what came of WHAT in this try, "works" or why it does not; the latter fails.
came() { say "${*:2}" >"$tmp/$name-$1-$try"; [ "$2" = works ]; }

# verdict WHAT is what came of it in the tries that there were, if it was tried.
verdict() {
	local first second
	first=$(cat "$tmp/$name-$1-1" 2>/dev/null) || true
	second=$(cat "$tmp/$name-$1-2" 2>/dev/null) || second=$first
	case "${first:-$second},$second" in
	, | works,works) say "$second" ;;
	*,works) say "works the second time; the first: $first" ;;
	works,*) say "works the first time; the second: $second" ;;
	*) say "**fails**: $second" ;;
	esac
}

# attempt SCHEME ADDRESS DRAFT CATALOG PACKAGING NAMESPACE [THEN] serves it and reads it, and says by "came" what came of it.
attempt() {
	local scheme=$1 at=$2 draft=$3 catalog=$4 namespace=$6 then=${7:-} port failed=0 asked=$3 only=quic
	[ "$scheme" = https ] && only=wt
	port=$(free_port tcp)
	start "serve-$name" "$tmp/moqpack" serve -v --relay "$scheme://$at/?draft=$draft&transport=$only" --namespace "$namespace" \
		--catalog "$catalog" --name peer --insecure --http "127.0.0.1:$port"
	follow "http://127.0.0.1:$port" "$then" "${at##*:}" || failed=1
	stop "serve-$name" >/dev/null || { came hls "moqpack does not end on SIGINT"; failed=1; }
	[ "$draft" = 14 ] && asked=moq-00
	[ "$failed" = 1 ] || grep -q "phase=live.* draft=[a-z-]*$asked\b" "$ARTEFACTS/serve-$name.log" ||
		{ came hls "another draft was agreed on"; failed=1; }
	return $failed
}

# follow ORIGIN THEN UDP reads the channel "peer" as HLS and as DASH. All that reads it at once costs the time of one.
follow() {
	local origin=$1 base=$1/peer before media failed=0
	ready "$base" 40 || { came hls "$(last_words "$name")"; return; }
	if [ "$2" = restart ]; then
		stop moq-relay >/dev/null 2>&1
		relay_up "$3"
		media=$(first_variant "$base/index.m3u8")
		before=$(next_segment "$media")
		until_ok 90 beyond "$media" $((before + 5)) >/dev/null || { came hls "not live again"; return; }
	fi
	reads hls index.m3u8 legacy.m3u8 &
	reads dash legacy.mpd || failed=1
	wait $! || failed=1
	[ "$2" != played ] || plays || failed=1
	return $failed
}

# reads WHAT DOCUMENT...: ffmpeg decodes eight seconds of each.
reads() {
	local what=$1 document log
	shift
	for document in "$@"; do
		decode "peer-$name-$document" 8 "$base/$document" >/dev/null && continue
		log=$ARTEFACTS/ffmpeg-peer-$name-$document.log
		if ! grep -q 'ends prematurely at 0' "$log"; then
			came "$what" "ffmpeg: $(grep -v "duplicated MOOV" "$log" | head -n 1 | sed "s, @ 0x[0-9a-f]*,," | tr '|' '/')"
		elif grep -q 'no media arrives' "$ARTEFACTS/serve-$name.log"; then
			came "$what" "the publisher fell silent, and what it left out is listed as a gap"
		else
			came "$what" "media is missing, and listed as a gap"
		fi
		return
	done
	came "$what" works
}

# plays has hls.js and dash.js play it in Chromium.
plays() {
	local log=$ARTEFACTS/players-$name.log why
	(cd .ci/e2e && ARTEFACTS=$ARTEFACTS/players-$name node players.mjs --set peer --channel peer --seconds 10 "$origin") >"$log" 2>&1 &&
		came browser works && return
	why=$(sed -n 's/^ *FAIL //p' "$log" | head -n 1)
	came browser "${why:-the players do not start}"
}

# to_us SCHEME DRAFT PACKAGING NAMESPACE COMMAND...: a row about a publisher that connects to moqpack, which listens at PORT.
to_us() {
	local scheme=$1 draft=$2 packaging=$3 namespace=$4 name udp port try=1
	name=to-us-$who-$2-$1
	shift 4
	udp=$(free_port udp)
	port=$(free_port tcp)
	start "serve-$name" "$tmp/moqpack" serve -v --listen "127.0.0.1:$udp" --namespace "$namespace" --name peer --http "127.0.0.1:$port"
	until_ok 10 get "http://127.0.0.1:$port/livez" >/dev/null || true
	start "publish-$name" "${@//PORT/$udp}"
	follow "http://127.0.0.1:$port" "" "$udp" || true
	stop "publish-$name" >/dev/null || true
	stop "serve-$name" >/dev/null || came hls "moqpack does not end on SIGINT" || true
	note "$peer, which connects to us" "$draft" "$scheme" auto "$packaging" ""
}

# ready URL SECONDS: there are four segments, and a picture is listed. Audio can be listed a segment earlier, and ffmpeg reads the list once.
ready() {
	until_ok "$2" has_picture "$1/legacy.m3u8" >/dev/null && until_ok "$2" has_segments "$(first_variant "$1/legacy.m3u8")" 4 >/dev/null
}

has_picture() { get "$1" | grep -q RESOLUTION=; }

# beyond URL N: the next segment is at least number N.
beyond() { [ "$(next_segment "$1")" -ge "$2" ]; }

# last_words NAME: what moqpack said last of why it is not live, without what differs from run to run.
last_words() {
	local said
	said=$(grep -o ' err=".*' "$ARTEFACTS/serve-$1.log" | tail -n 1)
	said=${said:-nothing arrives}
	sed -e 's/^ err=//' -e 's/127\.0\.0\.1:[0-9]*\|localhost:[0-9]*/the relay/g' -e 's/\\"/"/g' -e 's/|/\//g' <<<"$said"
}

# ------------------------------------------------------------------------------------------------------------------ the media

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

# moq_pub PORT PUB publishes cf/live at moq-relay-ietf. It writes its catalog once, and so must keep it for whoever comes later.
moq_pub() {
	live fmp4 | "$2" --tls-disable-verify --bind 127.0.0.1:0 --fetch-groups 8 --name cf/live "https://localhost:$1"
}
export -f live moq_import moq_pub

# film makes what aiomoqt plays, long enough that no row sees its end.
film() {
	[ -f "$tmp/film.mp4" ] || ffmpeg -nostdin -hide_banner -loglevel error -f lavfi -i testsrc=size=320x180:rate=25 \
		-f lavfi -i sine=frequency=440:sample_rate=48000 -t 300 -c:v libx264 -preset ultrafast -tune zerolatency -g 50 -bf 0 \
		-pix_fmt yuv420p -c:a aac "$tmp/film.mp4" </dev/null
}

# ------------------------------------------------------------------------------------------------------------------ the peers

# eyevinn: our publisher on their library, which is at its version in .ci/interop/moqtransport/go.mod.
eyevinn() {
	local udp draft protocol who=eyevinn peer
	peer="Eyevinn/moqtransport $(sed -n 's/.*moqtransport \(v[0-9.]*\).*/\1/p' .ci/interop/moqtransport/go.mod | head -n 1)"
	(cd .ci/interop/moqtransport && go build -o "$tmp/publisher" .)
	for draft in 14 16; do
		udp=$(free_port udp)
		[ "$draft" = 14 ] && protocol=moq-00 || protocol=moqt-$draft
		start publisher-peer "$tmp/publisher" -listen "127.0.0.1:$udp" -protocol "$protocol" "${clips[@]}"
		row moqt "127.0.0.1:$udp" "$draft" msf cmaf interop/studio1 played
		stop publisher-peer
		to_us moqt "$draft" cmaf interop/studio1 "$tmp/publisher" -connect 127.0.0.1:PORT -protocol "$protocol" "${clips[@]}"
	done
}

# aiomoqt: its publisher and its relay.
aiomoqt() {
	local draft
	for draft in 18 22 20 16 14; do
		through_aiomoqt moqt "$draft" cmaf
		through_aiomoqt https "$draft" cmaf
	done
	for draft in 18 22 16; do through_aiomoqt moqt "$draft" loc; done
	played=played through_aiomoqt https 18 loc
	through_aiomoqt moqt 18 "loc, audio in datagrams" --packaging loc --datagram
	played=played through_aiomoqt moqt 18 locmaf
	through_aiomoqt https 22 locmaf
	local who=aiomoqt peer="aiomoqt $AIOMOQT"
	to_us moqt 18 loc interop/film "$(wheel)" -m aiomoqt.tools.pub_media moqt://localhost:PORT/ -N interop/film --mp4 "$tmp/film.mp4" -k \
		--pub-ns -t 600 --draft 18
	to_us https 18 cmaf interop/film "$(wheel)" -m aiomoqt.tools.pub_media https://localhost:PORT/ -N interop/film --mp4 "$tmp/film.mp4" -k \
		--pub-ns -t 600 --draft 18 --packaging cmaf
}

# through_aiomoqt SCHEME DRAFT PACKAGING [FLAG...]: a publisher and a relay for this row alone. The relay speaks no other draft,
# because over WebTransport it offers 14 only then.
through_aiomoqt() {
	local udp python scheme=$1 draft=$2 packaging=$3 who=aiomoqt peer="aiomoqt $AIOMOQT, its relay"
	shift 3
	[ $# -gt 0 ] || set -- --packaging "$packaging"
	python=$(wheel)
	certificate
	udp=$(free_port udp)
	start aiomoqt-relay "$python" -m aiomoqt.tools.moq_interop_relay --bind 127.0.0.1 --port "$udp" --cert "$tmp/cert.pem" --key "$tmp/key.pem" \
		--dual --draft "$draft"
	aiomoqt_publishes "$udp" "$draft" "$@"
	row "$scheme" "localhost:$udp" "$draft" msf "$packaging" interop/film "${played:-}"
	stop aiomoqt-publisher || true
	stop aiomoqt-relay >/dev/null || true # it does not end on SIGINT
}

# aiomoqt_publishes UDP DRAFT FLAG...: interop/film, once the relay is there.
aiomoqt_publishes() {
	local udp=$1 draft=$2 python
	shift 2
	python=$(wheel)
	film
	sleep 2 # it does not dial again
	start aiomoqt-publisher "$python" -m aiomoqt.tools.pub_media "moqt://localhost:$udp/" -N interop/film --mp4 "$tmp/film.mp4" -k --pub-ns \
		-t 600 --draft "$draft" "$@"
}

# cloudflare: its relay, with its publisher and with aiomoqt's.
cloudflare() {
	local relay publisher udp who=cloudflare peer="moq-relay-ietf $MOQ_RELAY_IETF, moq-pub $MOQ_PUB"
	relay=$(crate moq-relay-ietf "$MOQ_RELAY_IETF" moq-relay-ietf)
	publisher=$(crate moq-pub "$MOQ_PUB" moq-pub)
	certificate
	udp=$(free_port udp)
	start cloudflare-relay "$relay" --bind "127.0.0.1:$udp" --tls-cert "$tmp/cert.pem" --tls-key "$tmp/key.pem" --coordinator-file "$tmp/coordinator.json"
	start cloudflare-publisher bash -c "sleep 2; moq_pub $udp $publisher"
	row moqt "localhost:$udp" 18 warp cmaf cf/live played
	row https "localhost:$udp" 18 warp cmaf cf/live
	stop cloudflare-publisher || true
	peer="moq-relay-ietf $MOQ_RELAY_IETF, aiomoqt $AIOMOQT" who=cloudflare-aiomoqt
	aiomoqt_publishes "$udp" 18 --packaging loc
	row moqt "localhost:$udp" 18 msf loc interop/film
	row https "localhost:$udp" 18 msf loc interop/film played
	stop aiomoqt-publisher || true
	stop cloudflare-relay || true
}

relay_up() {
	start moq-relay "$(crate moq-relay "$MOQ_RELAY" moq-relay)" --listen "127.0.0.1:$1" --listen-tls-cert "$tmp/cert.pem" \
		--listen-tls-key "$tmp/key.pem" --auth-public '**'
}

# moq_dev: the relay and the publishers of github.com/moq-dev/moq. moq-cli packages FLV as "legacy" and MP4 as CMAF, and always writes
# both catalogs. It publishes in its newest protocol; the relay turns that into the one that moqpack asks for.
moq_dev() {
	local cli udp draft who=moq-dev peer="moq-relay $MOQ_RELAY, moq-cli $MOQ_CLI"
	cli=$(crate moq-cli "$MOQ_CLI" moq)
	certificate
	udp=$(free_port udp)
	relay_up "$udp"
	start moq-fmp4 bash -c "moq_import fmp4 $udp $cli"
	for_drafts msf cmaf fmp4.hang & # the two at once: what they do most is to wait
	for_drafts hang cmaf fmp4.hang
	wait $!
	for draft in 18 16 moq-lite-05; do row https "localhost:$udp" "$draft" hang cmaf fmp4.hang; done
	row https "localhost:$udp" 18 msf cmaf fmp4.hang played
	start moq-flv bash -c "moq_import flv $udp $cli"
	row moqt "localhost:$udp" 18 hang legacy flv.hang played
	for draft in 16 moq-lite-05; do row moqt "localhost:$udp" "$draft" hang legacy flv.hang; done
	stop moq-flv || true
	for draft in 18 moq-lite-05; do row moqt "localhost:$udp" "$draft" msf cmaf fmp4.hang restart; done
	stop moq-fmp4 || true
	browser "$udp" || true
	stop moq-relay || true
	peer="moq-cli $MOQ_CLI"
	to_us moqt 16 cmaf fmp4.hang bash -c "moq_import fmp4 PORT $cli moqt moq-transport-16"
	to_us https 18 cmaf fmp4.hang bash -c "moq_import fmp4 PORT $cli https moq-transport-18"
	to_us https moq-lite-05 cmaf fmp4.hang bash -c "moq_import fmp4 PORT $cli https moq-lite-05"
}

# for_drafts CATALOG PACKAGING NAMESPACE: a row for every protocol of moq-relay.
for_drafts() {
	local draft
	for draft in 18 moq-lite-05 16 14 19 moq-lite-04 moq-lite-03 17 15; do row moqt "localhost:$udp" "$draft" "$@"; done
}

# browser UDP: Chromium publishes its fake camera and microphone at moq-relay.
browser() {
	local udp=$1 who=browser peer
	peer="@moq/publish $(sed -n 's,.*"@moq/publish": "\(.*\)".*,\1,p' .ci/interop/browser/package.json) in Chromium, moq-relay $MOQ_RELAY"
	(cd .ci/interop/browser && npm ci --ignore-scripts --no-audit --no-fund) >"$ARTEFACTS/npm-browser.log" 2>&1
	start browser node .ci/interop/browser/publish.mjs "https://127.0.0.1:$udp/" cam.hang "$(key_hash)"
	until_ok 60 grep -q 'broadcast=cam.hang active=true' "$ARTEFACTS/browser.log" || true
	row moqt "localhost:$udp" 18 hang legacy cam.hang played
	row moqt "localhost:$udp" moq-lite-05 hang legacy cam.hang
	row https "localhost:$udp" 18 hang legacy cam.hang
	stop browser || true
}

# ------------------------------------------------------------------------------------------------------------------ the steps

# subset is what installs in a moment: what no other peer of .ci/run has.
subset() {
	: >"$rows"
	wheel >/dev/null || { skip "aiomoqt"; return 0; }
	through_aiomoqt moqt 22 loc
	through_aiomoqt https 18 cmaf
	through_aiomoqt moqt 20 locmaf
	! grep -q 'fails' "$rows"
}

all_of() {
	local p
	for p in "$@"; do $p || say "!!!! $p did not come to its end"; done
}

step_peers() {
	: >"$rows"
	(cd .ci/e2e && npm ci --ignore-scripts --no-audit --no-fund) >"$ARTEFACTS/npm.log" 2>&1
	go build -o "$tmp/moqpack" ./cmd/moqpack
	certificate
	all_of eyevinn aiomoqt cloudflare & # two at once: what they do most is to wait
	local others=$!
	all_of moq_dev
	wait "$others"
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
		say "| peer | draft | transport | catalog | packaging | then | HLS | DASH | in Chromium |"
		say "|---|---|---|---|---|---|---|---|---|"
		sort -V "$rows"
		sed -n '/^<!-- end of rows -->$/,$p' "$doc"
	} >"$tmp/interop.md"
	cp "$tmp/interop.md" "$doc"
}
