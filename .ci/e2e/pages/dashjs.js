'use strict';

const dash = dashjs.MediaPlayer().create();
player = {
  latency: () => dash.getCurrentLiveLatency(),
  languages: () => dash.getTracksFor('audio').map((t) => t.lang),
  heights: () => dash.getRepresentationsByType('video').map((r) => r.height),
  choose: (language, height) => {
    dash.setCurrentTrack(dash.getTracksFor('audio').find((t) => t.lang === language));
    dash.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: false } } } });
    dash.setRepresentationForTypeById('video', dash.getRepresentationsByType('video').find((r) => r.height === height).id);
  },
};
const on = dashjs.MediaPlayer.events;
for (const name of ['ERROR', 'PLAYBACK_ERROR']) {
  dash.on(on[name], (e) => fault(true, `${name} ${e.error?.code ?? ''} ${e.error?.message ?? e.error}`));
}
// dash.js checks the MPD as it reads it: a small conformance tool for nothing.
dash.on(on.CONFORMANCE_VIOLATION, (e) => fault(false, `conformance ${e.event?.key} ${e.event?.message} (${e.level})`));
dash.initialize(video, source, true);
