#!/usr/bin/env bash
# make.sh: makes the small CMAF files of this directory from generated pictures and sounds. See README.md for what is in them.
# Needs ffmpeg with libx264, libx265, libaom, libvpx, libopus. The files are committed, so that tests need none of that.
set -eu
cd "$(dirname "$0")"

# delay_moov: the sample entries of AV1 and AC-3 are made from the first packet.
fragments=(-movflags +delay_moov+default_base_moof+frag_every_frame+skip_trailer -use_editlist 0)
exact=(-fflags +bitexact -flags:v +bitexact -flags:a +bitexact -threads 1 -map_metadata -1)
ff() { ffmpeg -nostdin -hide_banner -loglevel error -y "$@"; }

# video NAME RATE TIMESCALE ENCODER-OPTIONS...: 4 groups of round(RATE) frames.
video() {
	local name=$1 rate=$2 scale=$3 group=$4; shift 4
	ff -f lavfi -i "testsrc=size=128x72:rate=$rate" -frames:v $((4 * group)) -an -pix_fmt yuv420p -g "$group" \
		"$@" -video_track_timescale "$scale" "${exact[@]}" "${fragments[@]}" -f mp4 "$name.mp4"
}
# audio NAME RATE ENCODER-OPTIONS...: about 4 s.
audio() {
	local name=$1 rate=$2; shift 2
	ff -f lavfi -i "sine=frequency=440:sample_rate=$rate" -t 4 -vn -ac 2 "${exact[@]}" "${fragments[@]}" "$@" -f mp4 "$name.mp4"
}

x264="scenecut=0:open-gop=0:force-cfr=1"
video h264-2997 30000/1001 30000 30 -c:v libx264 -profile:v main -crf 36 -bf 2 -x264-params "$x264:b-adapt=0" \
	-bsf:v filter_units=remove_types=6
video h264-5994 60000/1001 60000 60 -c:v libx264 -profile:v baseline -crf 36 -bf 0 -x264-params "$x264" \
	-bsf:v filter_units=remove_types=6
video hevc-25 25 12800 25 -c:v libx265 -tag:v hvc1 -crf 38 -bf 0 \
	-x265-params "log-level=error:info=0:scenecut=0:open-gop=0:keyint=25:min-keyint=25:pools=none:frame-threads=1"
video av1-25 25 12800 25 -c:v libaom-av1 -crf 50 -b:v 0 -cpu-used 8 -lag-in-frames 0 -keyint_min 25 -row-mt 0
video vp9-25 25 12800 25 -c:v libvpx-vp9 -crf 50 -b:v 0 -deadline realtime -cpu-used 8 -lag-in-frames 0 -auto-alt-ref 0 -keyint_min 25
audio aac-44100 44100 -c:a aac -b:a 48k
audio opus-48000 48000 -c:a libopus -b:a 32k -frame_duration 20
audio ac3-48000 48000 -c:a ac3 -b:a 96k
audio eac3-48000 48000 -c:a eac3 -b:a 96k
audio flac-48000 48000 -strict experimental -c:a flac -frame_size 2400 -ac 1
