package demux

import (
	"encoding/hex"
	"testing"
)

// Sequence parameter sets of libx265, by ffmpeg 5.1.9: ffmpeg -f lavfi -i testsrc2=size=SIZE:rate=RATE -frames:v 3 -pix_fmt FORMAT
// -c:v libx265 -x265-params PARAMS -f hevc. What they hold is what ffprobe said of these files.
func TestHEVCSaysItsRateAndColours(t *testing.T) {
	for _, tt := range []struct {
		made, sps string
		picture   picture
		rate      ratio
		reorder   int
	}{
		{
			"128x72, 25, yuv420p", "42010101600000030090000003000003001ea010204965959a4932bc05a02000000300200000030321",
			picture{width: 128, height: 72, sarW: 1, sarH: 1}, ratio{25, 1}, 2,
		},
		{
			"130x74, 30000/1001, yuv420p10le, colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:range=limited:bframes=4:hdr10=1",
			"42010102200000030090000003000003001ea0112051c92365959a4932bc05a84880482000007d20000ea601",
			picture{width: 130, height: 74, sarW: 1, sarH: 1, coloured: true, colour: [3]byte{9, 16, 9}}, ratio{30000, 1001}, 2,
		},
		{
			"144x80, 24000/1001, yuv422p, colorprim=bt709:transfer=bt709:colormatrix=bt709:range=full:scaling-list=default:sar=4\\:3:bframes=0:" +
				"overscan=show:chromaloc=2:hrd=1:vbv-maxrate=1000:vbv-bufsize=1000",
			"4201010408000003009d0800000300003cb01220516592a49395e1d6e0202036c2000007d20000bb80c0292cbc001e848003d091",
			picture{width: 144, height: 80, sarW: 4, sarH: 3, coloured: true, colour: [3]byte{1, 1, 1}, full: true}, ratio{24000, 1001}, 0,
		},
		{
			"160x90, 60, yuv420p, display-window=2,4,6,8:videoformat=pal:temporal-layers=2:colorprim=smpte170m:transfer=smpte170m:colormatrix=smpte170m",
			"42010101600000030090000003000003003ca0142061f265959a4932bc052830303059ca260000030002000003007810",
			picture{width: 160, height: 90, sarW: 1, sarH: 1, coloured: true, colour: [3]byte{6, 6, 6}}, ratio{60, 1}, 2,
		},
	} {
		nal, err := hex.DecodeString(tt.sps)
		if err != nil {
			t.Fatal(err)
		}
		s, ok := hevc{}.sps(nal)
		same := s.rate.num*tt.rate.den == tt.rate.num*s.rate.den && s.rate.den > 0
		if !ok || s.picture != tt.picture || !same || s.reorder != tt.reorder {
			t.Errorf("%s: %+v, %d/%d frames per second, reorder %d", tt.made, s.picture, s.rate.num, s.rate.den, s.reorder)
		}
	}
}
