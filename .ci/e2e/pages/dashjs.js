'use strict';

const dash = dashjs.MediaPlayer().create();
player = { latency: () => dash.getCurrentLiveLatency() };
const on = dashjs.MediaPlayer.events;
for (const name of ['ERROR', 'PLAYBACK_ERROR']) {
  // 16: no clock to be reached; the player goes on with its own.
  dash.on(on[name], (e) => fault(e.error?.code !== 16, `${name} ${e.error?.code ?? ''} ${e.error?.message ?? e.error}`));
}
// dash.js checks the MPD as it reads it: a small conformance tool for nothing.
dash.on(on.CONFORMANCE_VIOLATION, (e) => fault(false, `conformance ${e.event?.key} ${e.event?.message} (${e.level})`));
dash.initialize(video, source, true);
