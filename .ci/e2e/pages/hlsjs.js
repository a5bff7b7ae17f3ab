'use strict';

// Without a rate to catch up with, hls.js keeps for ever what one hiccup of this machine cost it.
const hls = new Hls({ lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.1 });
player = {
  latency: () => hls.latency,
  languages: () => hls.audioTracks.map((t) => t.lang),
  heights: () => hls.levels.map((l) => l.height),
  choose: (language, height) => {
    hls.audioTrack = hls.audioTracks.findIndex((t) => t.lang === language);
    hls.nextLevel = hls.levels.findIndex((l) => l.height === height);
  },
};
hls.on(Hls.Events.ERROR, (_, e) => fault(e.fatal, `${e.type} ${e.details} ${e.error?.message ?? ''}`));
// It goes on asking for a language that the broadcast has no longer, so that the page has to choose another one.
hls.on(Hls.Events.ERROR, (_, e) => {
  if (e.details === Hls.ErrorDetails.AUDIO_TRACK_LOAD_ERROR && e.response?.code === 404) hls.audioTrack = (hls.audioTrack + 1) % hls.audioTracks.length;
});
hls.loadSource(source);
hls.attachMedia(video);
video.play().catch(() => {});
