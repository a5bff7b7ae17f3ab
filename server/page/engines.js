// The players behind one face: {name, title, destroy(), date(), quality()}. date() is the wall clock time of the picture on
// the screen in ms, or NaN where a browser does not tell.

// protocols in the order in which the page offers them; url is the key in /api/channels.
export const protocols = {
  llhls: { title: 'LL-HLS', url: 'hls', engines: ['hlsjs', 'native'] },
  hls: { title: 'HLS', url: 'legacyHLS', engines: ['hlsjs', 'native'] },
  lldash: { title: 'LL-DASH', url: 'dash', engines: ['shaka'] },
  dash: { title: 'DASH', url: 'legacyDASH', engines: ['shaka'] },
};

export const titles = { hlsjs: 'hls.js', shaka: 'Shaka Player', native: 'the browser' };

const files = { hlsjs: '/page/vendor/hls.min.js', shaka: '/page/vendor/shaka-player.compiled.js' };

// available says which engines can play here: those built into the server, and the browser's own HLS.
export async function available(video) {
  const built = await fetch('/api/players').then((r) => r.json());
  const mse = 'MediaSource' in window || 'ManagedMediaSource' in window;
  return {
    hlsjs: mse && built.includes('hlsjs'),
    shaka: mse && built.includes('shaka'),
    native: video.canPlayType('application/vnd.apple.mpegurl') !== '',
  };
}

const loading = {};

// load brings an engine's script once.
function load(name) {
  return loading[name] ??= new Promise((ok, fail) => {
    const script = document.createElement('script');
    script.src = files[name];
    script.onload = ok;
    script.onerror = () => { delete loading[name]; fail(new Error(`${titles[name]} did not load`)); };
    document.head.append(script);
  });
}

// open plays url in video. fault is called with a text and whether it is fatal.
export async function open(name, video, url, fault) {
  if (name !== 'native') await load(name);
  return { hlsjs: openHls, shaka: openShaka, native: openNative }[name](video, url, fault);
}

function openHls(video, url, fault) {
  const hls = new window.Hls({
    lowLatencyMode: true,
    maxLiveSyncPlaybackRate: 1.08, // catch up gently after a stall
    backBufferLength: 20,
    // Parts of a segment are even as a rule, but a camera whose frames are not leaves a short one at the end. With the default of
    // 0.25 s hls.js takes a segment for loaded when only that one is missing, and stalls.
    maxFragLookUpTolerance: 0.02,
  });
  hls.on(window.Hls.Events.ERROR, (_, e) => fault(`${e.details}${e.error ? `: ${e.error.message}` : ''}`, e.fatal));
  // It goes on asking for a language that the broadcast has no longer.
  hls.on(window.Hls.Events.ERROR, (_, e) => {
    const gone = e.details === window.Hls.ErrorDetails.AUDIO_TRACK_LOAD_ERROR && e.response?.code === 404;
    if (gone) hls.audioTrack = (hls.audioTrack + 1) % hls.audioTracks.length;
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  return {
    name: 'hlsjs',
    player: hls,
    title: `hls.js ${window.Hls.version}`,
    destroy: () => hls.destroy(),
    date: () => hls.playingDate?.getTime() ?? NaN,
  };
}

async function openShaka(video, url, fault) {
  const { Player, polyfill } = window.shaka;
  polyfill.installAll();
  const player = new Player();
  const words = (e) => `${e.message ?? e.code} ${(e.data ?? []).map(String).join(' ').slice(0, 200)}`;
  player.addEventListener('error', (e) => fault(words(e.detail), e.detail.severity === 2));
  await player.attach(video);
  player.configure({
    // On LL-DASH Shaka begins at the very edge, with a quarter of a second in its buffer: half a second more bears a common
    // network. In HLS this would take the place of the playlist's PART-HOLD-BACK.
    manifest: { defaultPresentationDelay: new URL(url).pathname.endsWith('.mpd') ? 0.5 : 0 },
    streaming: {
      lowLatencyMode: true,
      bufferBehind: 20,
      // The latency here is the distance to where Shaka would begin. Like hls.js it catches up gently after a stall.
      liveSync: { enabled: true, targetLatency: 0.3, targetLatencyTolerance: 0.2, maxPlaybackRate: 1.08 },
    },
    abr: { enabled: true },
  });
  player.load(url).catch((e) => {
    if (e.code !== 7000) fault(words(e), true); // 7000: another load or the end interrupted it
  });
  return {
    name: 'shaka',
    player,
    title: `Shaka Player ${Player.version}`,
    destroy: () => player.destroy(),
    date: () => {
      try {
        return player.getPlayheadTimeAsDate()?.getTime() ?? NaN;
      } catch {
        return NaN; // before the manifest is there
      }
    },
  };
}

function openNative(video, url, fault) {
  const failed = () => fault(video.error?.message || 'the browser gave up', true);
  video.addEventListener('error', failed);
  video.src = url;
  return {
    name: 'native',
    player: video,
    title: 'the browser’s own HLS',
    destroy: () => {
      video.removeEventListener('error', failed);
      video.removeAttribute('src');
      video.load();
    },
    date: () => {
      const start = video.getStartDate?.().getTime();
      return start ? start + video.currentTime * 1000 : NaN;
    },
  };
}
