package demux

import "github.com/moqpack/moqpack/internal/media"

// ntpEpoch is 1970 in the seconds of NTP, which count from 1900.
const ntpEpoch = 2208988800

// clockOf is what time it was at the end of the samples, in milliseconds of Unix time, as a ProducerReferenceTimeBox among the boxes
// tells (ISO/IEC 14496-12, 8.16.5). It says that of some media time nearby. 0: there is none, or it says nothing that could be.
func clockOf(payload []byte, samples []media.Sample, timescale uint32) int64 {
	r := boxes{data: payload}
	b, ok := r.find("prft")
	if !ok || len(samples) == 0 {
		return 0
	}
	in := fields{box: b}
	version, _ := in.full()
	in.u32() // of which track
	ntp, at := in.u64(), in.word(version)
	last := &samples[len(samples)-1]
	ahead := last.DTS + int64(last.Dur) - int64(min(at, maxTime))
	if limit := maxSilence * int64(timescale); in.err != nil || ntp>>32 < ntpEpoch || ahead > limit || ahead < -limit {
		return 0
	}
	return int64(ntp>>32-ntpEpoch)*1000 + int64(ntp&0xffffffff*1000>>32) + ahead*1000/int64(timescale)
}
