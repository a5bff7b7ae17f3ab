'use strict';

// Without a rate to catch up with, hls.js keeps for ever what one hiccup of this machine cost it.
const hls = new Hls({ lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.1 });
player = { latency: () => hls.latency };
hls.on(Hls.Events.ERROR, (_, e) => fault(e.fatal, `${e.type} ${e.details} ${e.error?.message ?? ''}`));
hls.loadSource(source);
hls.attachMedia(video);
video.play().catch(() => {});
