'use strict';

shaka.polyfill.installAll();
const p = new shaka.Player();
player = { latency: () => p.getStats().liveLatency };
p.addEventListener('error', ({ detail: e }) => fault(e.severity === 2, `shaka ${e.category}.${e.code} ${e.data}`));
p.configure({ streaming: { lowLatencyMode: true } });
p.attach(video)
  .then(() => p.load(source))
  .then(() => video.play())
  .catch((e) => fault(true, `shaka load ${e.category}.${e.code} ${e.data} ${e.message}`));
