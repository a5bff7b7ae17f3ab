'use strict';

const hls = new Hls({ lowLatencyMode: true, enableWorker: true });
player = { latency: () => hls.latency };
hls.on(Hls.Events.ERROR, (_, e) => fault(e.fatal, `${e.type} ${e.details} ${e.error?.message ?? ''}`));
hls.loadSource(source);
hls.attachMedia(video);
video.play().catch(() => {});
