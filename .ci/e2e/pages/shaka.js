'use strict';

shaka.polyfill.installAll();
const p = new shaka.Player();
player = {
  latency: () => p.getStats().liveLatency,
  languages: () => p.getVariantTracks().map((t) => t.language),
  heights: () => p.getVariantTracks().map((t) => t.height),
  choose: (language, height) => {
    p.configure({ abr: { enabled: false } });
    p.selectVariantTrack(p.getVariantTracks().find((t) => t.language === language && t.height === height));
  },
};
// The player decides after the event whether it can go on from an error of the network, and says so in the error.
p.addEventListener('error', ({ detail: e }) => setTimeout(() => fault(e.severity === 2, e.code ? `shaka ${e.category}.${e.code} ${e.data}` : `shaka ${e.stack ?? e}`), 0));
p.configure({ streaming: { lowLatencyMode: true } });
p.attach(video)
  .then(() => p.load(source))
  .then(() => video.play().catch(() => {})) // it is interrupted where Shaka begins anew with its buffers, and plays on all the same
  .catch((e) => fault(true, `shaka load ${e.category}.${e.code} ${e.data} ${e.message}`));
