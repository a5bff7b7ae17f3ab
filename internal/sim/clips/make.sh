#!/usr/bin/env bash
# make.sh: makes the demo's clips, 32 s that loop without a seam, from generated pictures and sounds only.
#
# 32 s is a whole number of everything: 800 pictures at 25 fps, 32 closed groups of 1 s, 1500 AAC frames of 1024 samples.
# Along the top edge runs a barcode of the loop's frame number: 16 squares, least significant first, white is 1. A square is
# 24/640 of the picture's width. Under it: seconds:frame in the loop. Frame n is shown from loop time n/25 s, so a page reads
# its latency off the screen: (now mod 32 s) - n/25.
#
# Needs ffmpeg with libx264, and DejaVu fonts. The clips are committed, so that building needs neither.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT

ff() { ffmpeg -nostdin -hide_banner -loglevel error -y "$@"; }
exact=(-fflags +bitexact -flags:v +bitexact -flags:a +bitexact -threads 1 -map_metadata -1)
fragments=(-movflags +delay_moov+default_base_moof+skip_trailer -use_editlist 0)
font=/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf

# picture: slow waves of colour, a ball that goes round once in 8 s, the clock and the barcode.
waves="nullsrc=size=64x36:rate=25,geq=\
lum='110+24*sin(2*PI*(X/96+T/16))+16*sin(2*PI*(Y/72-T/8))':\
cb='152+24*sin(2*PI*(X/96-T/32))':\
cr='128+32*cos(2*PI*(Y/72+T/32))',format=yuv420p,scale=640:360:flags=bicubic"
ball="color=white:size=64x64:rate=25,format=yuva420p,geq=lum=235:cb=128:cr=128:a='255*clip(32-hypot(X-31.5\,Y-31.5)\,0\,1)'"
barcode="drawbox=x=0:y=0:w=384:h=24:color=black:t=fill"
for ((bit = 0; bit < 16; bit++)); do
	barcode+=",drawbox=x=$((24 * bit)):y=0:w=24:h=24:color=white:t=fill:enable='mod(floor(n/$((1 << bit))),2)'"
done
clock="drawtext=fontfile=$font:fontsize=72:fontcolor=white:borderw=3:bordercolor=black@0.6:x=(w-tw)/2:y=(h-th)/2:\
text='%{eif\:n/25\:d\:2}\:%{eif\:mod(n,25)\:d\:2}'"
label() { echo "drawtext=fontfile=$font:fontsize=h/15:fontcolor=white:borderw=1:bordercolor=black@0.6:x=w-tw-8:y=h-th-8:text='$1'"; }

ff -f lavfi -i "$waves" -f lavfi -i "$ball" -frames:v 800 -an -c:v ffv1 "$tmp/picture.mkv" -filter_complex "
	[0][1]overlay=x='288+240*cos(2*PI*t/8)':y='148+110*sin(2*PI*t/8)':format=yuv420:eval=frame[p];
	[p]$barcode,$clock,format=yuv420p"

# video HEIGHT WIDTH RATE LEVEL
video() {
	ff -i "$tmp/picture.mkv" -vf "scale=$2:$1:flags=area,$(label "$2x$1")" -pix_fmt yuv420p -c:v libx264 -preset veryslow \
		-profile:v main -level "$4" -bf 0 -g 25 -keyint_min 25 -x264-params scenecut=0:open-gop=0:force-cfr=1 \
		-b:v "$3k" -maxrate "$(($3 * 3 / 2))k" -bufsize "$(($3 * 3 / 2))k" -bsf:v filter_units=remove_types=6 \
		-color_primaries bt709 -color_trc bt709 -colorspace bt709 \
		-video_track_timescale 12800 "${exact[@]}" "${fragments[@]}" -movflags +frag_keyframe "video-$1.mp4"
}
video 360 640 150 3.0
video 270 480 80 2.1
video 180 320 40 1.3

# audio LANGUAGE LEFT RIGHT: three loops are encoded and the middle one is kept, so that the first frame overlaps with the
# last one as any two neighbours do, and the encoder's delay is not in it.
audio() {
	ff -f lavfi -i "aevalsrc=$2|$3:s=48000" -t 96 -c:a aac -b:a 32k "${exact[@]}" "$tmp/$1.mp4"
	ff -ss 32 -i "$tmp/$1.mp4" -frames:a 1500 -c:a copy -metadata:s:a:0 "language=$1" \
		"${exact[@]}" "${fragments[@]}" -frag_duration 1000000 "audio-$1.mp4"
}
bell="0.12*min(1\,100*mod(t\,1))*exp(-5*mod(t\,1))"
audio eng "$bell*sin(2*PI*t*(440+110*mod(floor(t)\,4)))" "$bell*sin(2*PI*t*(660+110*mod(floor(t)\,4)))"
audio swe "0.05*(1+cos(2*PI*t/4))*sin(2*PI*196*t)" "0.05*(1-cos(2*PI*t/4))*sin(2*PI*294*t)"
ls -l ./*.mp4
