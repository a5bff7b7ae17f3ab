# .ci/storage.sh: the step "storage" of .ci/run, which sources this file. A broadcast is recorded on a disk and in a bucket of a real
# S3 server, which is killed; so is moqpack; then the broadcast ends. Whoever plays, plays from the bucket.
# shellcheck shell=bash

VERSITYGW=v1.8.0
MINIO=v0.0.0-20250907161309-07c3a429bfed

# signed NAME ARGUMENT...: an S3 request with the body of the file NAME.
signed() {
	local body=$1
	shift
	curl --fail --silent --show-error --max-time 5 --aws-sigv4 aws:amz:us-east-1:s3 --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
		-H "x-amz-content-sha256: $(sha256sum "$body" | cut -d' ' -f1)" -H "Content-MD5: $(openssl md5 -binary "$body" | base64)" \
		-X PUT --data-binary "@$body" "$@"
}

# gateway starts the S3 server; its data survives it.
gateway() {
	start gateway env ROOT_ACCESS_KEY="$AWS_ACCESS_KEY_ID" ROOT_SECRET_KEY="$AWS_SECRET_ACCESS_KEY" HOME="$tmp" \
		"$tools/versitygw-$VERSITYGW" --port "127.0.0.1:$1" posix "$tmp/s3"
	until_ok 10 curl --silent "http://127.0.0.1:$1/"
}

# open_bucket URL: everybody may read the bucket, from pages of any origin, and such a page may see the Date: dash.js sets its clock
# by that of the MPD, and looks for one on the internet otherwise.
open_bucket() {
	cat >"$tmp/policy" <<-'JSON'
		{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::media/*"]}]}
	JSON
	cat >"$tmp/cors" <<-'XML'
		<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod><AllowedHeader>*</AllowedHeader><ExposeHeader>Date</ExposeHeader></CORSRule></CORSConfiguration>
	XML
	signed "$tmp/policy" "$1?policy="
	signed "$tmp/cors" "$1?cors="
}

# packager UDP PORT S3PORT starts moqpack with both stores.
packager() {
	start packager "$tmp/moqpack" serve --relay "moqt://127.0.0.1:$1" --namespace demo --insecure --http "127.0.0.1:$2" \
		--data "$tmp/data" --dvr 10m --s3 s3://media/live --s3-endpoint "http://127.0.0.1:$3" --s3-path-style --s3-region us-east-1
}

# all_there BASE: everything that the bucket's playlists list can be fetched.
all_there() {
	local text track uri n=0
	for track in $(get "$1/legacy.m3u8" | awk '!/^#/ && NF { sub("/.*", ""); print }' | sort -u) audio-en; do
		text=$(get "$1/$track/legacy.m3u8")
		while read -r uri; do
			get -o /dev/null -I "$1/$track/$uri" || { say "FAIL $track lists $uri, which is not there"; return 1; }
			n=$((n + 1))
		done < <(awk '/^#EXT-X-GAP/ { gap = 1 } !/^#/ && NF { if (!gap) print; gap = 0 }' <<<"$text")
	done
	say "ok   all $n segments that the bucket's playlists list are there"
}

# caught_up ORIGIN BUCKET: the bucket is not more than three segments behind.
caught_up() { [ $(($(next_segment "$1/video-360/legacy.m3u8") - $(next_segment "$2/video-360/legacy.m3u8"))) -le 3 ]; }

# listed URL prints the seconds that a playlist of a recording lists.
listed() { get "$1" | awk -F'[:,]' '/^#EXTINF/ { s += $2 } END { printf "%.2f\n", s }'; }

# frames URL prints how many frames of video there are.
frames() {
	ffprobe -v error -count_frames -select_streams v:0 -show_entries stream=nb_read_frames -of csv=p=0 "$1" | awk -F, 'NR == 1 { print $1 }'
}

step_storage() {
	local udp port control s3 origin bucket before after seconds count failed=0 name
	export AWS_ACCESS_KEY_ID=moqpack-ci AWS_SECRET_ACCESS_KEY=moqpack-ci-secret AWS_REGION=us-east-1
	udp=$(free_port udp) port=$(free_port tcp) control=$(free_port tcp) s3=$(free_port tcp)
	origin=http://127.0.0.1:$port/demo
	bucket=http://127.0.0.1:$s3/media/live/demo
	go build -o "$tmp/moqpack" ./cmd/moqpack
	go build -o "$tmp/faulty" ./.ci/e2e/publisher
	mkdir -p "$tmp/s3/media"
	gateway "$s3"
	open_bucket "http://127.0.0.1:$s3/media"
	start publisher-storage "$tmp/faulty" -listen "127.0.0.1:$udp" -control "127.0.0.1:$control"
	packager "$udp" "$port" "$s3"
	until_ok 30 has_segments "$bucket/video-360/legacy.m3u8" 5

	say "--- live from the bucket"
	decode bucket-legacy.m3u8 8 "$bucket/legacy.m3u8" || failed=1
	decode bucket-legacy.mpd 8 "$bucket/legacy.mpd" || failed=1
	(cd .ci/e2e && node players.mjs "http://127.0.0.1:$s3/media/live" --set bucket) || failed=1

	say "--- the bucket is away for 20 s"
	stop gateway || true
	decode outage-index.m3u8 12 "$origin/index.m3u8" || failed=1
	sleep 6
	gateway "$s3"
	until_ok 60 caught_up "$origin" "$bucket" || failed=1
	all_there "$bucket" || failed=1

	say "--- kill -9"
	before=$(next_segment "$origin/video-360/legacy.m3u8")
	kill -KILL -- "-$(cat "$tmp/packager.pid")"
	sleep 1
	touch "$tmp/killed"
	packager "$udp" "$port" "$s3"
	until_ok 30 get "$origin/legacy.m3u8" || failed=1
	until_ok 30 caught_up "$origin" "$bucket" || failed=1
	sleep 8
	after=$(next_segment "$origin/video-360/legacy.m3u8")
	say "next segment before: $before, after: $after"
	[ "$after" -gt "$before" ] && [ "$after" -lt $((before + 20)) ] || { say "FAIL the numbers do not go on"; failed=1; }
	all_there "$bucket" || failed=1
	[ -z "$(find "$tmp/data/.tmp" -type f ! -newer "$tmp/killed")" ] || { say "FAIL half-written files are left"; failed=1; }

	say "--- the end"
	curl --fail --silent -X POST "http://127.0.0.1:$control/end" || failed=1
	for name in "$origin" "$bucket"; do
		until_ok 40 ended "$name/video-360/legacy.m3u8" || failed=1
		seconds=$(listed "$name/video-360/legacy.m3u8")
		count=$(frames "$name/legacy.m3u8")
		say "$name: $seconds s, $count frames by HLS, $(frames "$name/legacy.mpd") by DASH"
		awk -v s="$seconds" -v n="$count" 'BEGIN { d = s * 25 - n; exit !(n > 0 && d < 1 && d > -1) }' ||
			{ say "FAIL frames and duration do not agree"; failed=1; }
	done
	until_ok 120 from_zero "$bucket/legacy.mpd" || failed=1
	same_documents "$origin" "$bucket" || failed=1
	(cd .ci/e2e && node players.mjs "http://127.0.0.1:$s3/media/live" --set vod --seconds 8 --duration "$seconds") || failed=1
	vods "$bucket" "$count" || failed=1
	stop packager || failed=1
	stop publisher-storage || failed=1
	stop gateway || true

	say "--- another implementation"
	s3=$(free_port tcp)
	mkdir -p "$tmp/minio/moqpack"
	start minio env MINIO_ROOT_USER="$AWS_ACCESS_KEY_ID" MINIO_ROOT_PASSWORD="$AWS_SECRET_ACCESS_KEY" HOME="$tmp" \
		"$tools/minio-$MINIO" server --quiet --address "127.0.0.1:$s3" "$tmp/minio"
	until_ok 20 get "http://127.0.0.1:$s3/minio/health/ready" || failed=1
	export MOQPACK_TEST_S3_ENDPOINT=http://127.0.0.1:$s3 MOQPACK_TEST_S3_ACCESS=$AWS_ACCESS_KEY_ID MOQPACK_TEST_S3_SECRET=$AWS_SECRET_ACCESS_KEY
	go test -count=1 ./storage/s3 || failed=1
	stop minio || true

	say "--- roles, sessions, encryption, classes, virtual hosts; killed, away, an answer lost, a clock that is late"
	export MOQPACK_TEST_MINIO=$tools/minio-$MINIO
	go test -count=1 -v -run 'MinIO|Asked|Session|Role|RealStore|Killed|Outage|Lost|HourLate' ./storage/s3 ./cmd/moqpack >"$ARTEFACTS/minio-tests.log" || failed=1
	grep -E '^(---|ok|FAIL)' "$ARTEFACTS/minio-tests.log"
	grep 'NOT TESTED' "$ARTEFACTS/minio-tests.log" && failed=1
	return $failed
}

# same_documents ORIGIN BUCKET: the recording is the same to the byte.
same_documents() {
	local name
	for name in legacy.m3u8 legacy.mpd $(get "$1/legacy.m3u8" | grep -Eo '[^"]+/legacy.m3u8' | sort -u); do
		cmp <(get "$1/$name") <(get "$2/$name") || { say "FAIL $name differs"; return 1; }
	done
	say "ok   origin and bucket have the same documents"
}

# from_zero URL: the MPD is that of a recording that nobody watches live any more.
from_zero() { get "$1" | grep -q '<Period id="[0-9]*" start="PT0S"'; }

ended() { get "$1" | grep -q '^#EXT-X-ENDLIST'; }

# vods BUCKET FRAMES: clips by reference and files, from the bucket, the whole recording among them.
vods() {
	local from=(--from s3://media/live --s3-endpoint "${1%/media/*}" --s3-path-style --s3-region us-east-1) name n bad=0
	"$tmp/moqpack" vod "${from[@]}" --list
	"$tmp/moqpack" vod "${from[@]}" --channel demo --start +4s --end +14s --name clip || bad=1
	n=$(frames "${1%/demo}/clip/legacy.m3u8")
	say "the clip of 10 s has $n frames by HLS"
	[ "$n" -ge 250 ] && [ "$n" -le 350 ] || { say "FAIL the clip has other frames"; bad=1; }
	"$tmp/moqpack" vod "${from[@]}" --channel demo --start +4s --end +14s --out "$tmp/clip.mp4" || bad=1
	n=$(frames "$tmp/clip.mp4")
	say "the file of 10 s has $n frames"
	[ "$n" -eq 250 ] || { say "FAIL the file has other frames"; bad=1; }
	"$tmp/moqpack" vod "${from[@]}" --channel demo --out "$tmp/all.mp4" || bad=1
	"$tmp/moqpack" vod "${from[@]}" --channel demo --name all || bad=1
	for name in "$tmp/all.mp4" "${1%/demo}/all/legacy.m3u8" "${1%/demo}/all/legacy.mpd"; do
		n=$(frames "$name")
		[ "$n" -eq "$2" ] || { say "FAIL $name has $n frames, the recording $2"; bad=1; }
	done
	say "ok   a file and a clip of the whole recording have its frames"
	return $bad
}
