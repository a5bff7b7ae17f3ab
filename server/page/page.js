// The page: which channels there are, how they do, and one of them playing.
import { available, open, protocols, titles } from './engines.js';
import { showChannel, showChannels, showProtocols, showReadings } from './view.js';

const query = new URLSearchParams(location.search);
const video = document.getElementById('video');
const byId = (id) => document.getElementById(id);

const wanted = {
  channel: query.get('channel'),
  protocol: query.get('protocol') ?? { shaka: 'lldash' }[query.get('player')] ?? 'llhls',
  engine: query.get('player'),
  url: query.get('url'),
};

let engines = {}; // name -> whether it can play here
let channels = [];
let skew = 0; // ms to add to this machine's clock to get the server's
let playing = null; // {key, engine, opened}
let retryAt = 0;
const counts = { stalls: 0, errors: [] };

const now = () => Date.now() + skew;
const current = () => channels.find((c) => c.name === wanted.channel) ?? channels[0];
const hasMedia = (c) => c.tracks.some((t) => t.age !== undefined);

// engineFor is who plays the protocol: the one asked for, or the first that can.
const engineFor = (protocol) => (wanted.engine ? [wanted.engine] : protocols[protocol].engines).find((e) => engines[e]);

function curtain(title, text = '', still = false) {
  byId('curtain').classList.remove('open');
  byId('curtain').classList.toggle('still', still);
  byId('curtain-title').textContent = title;
  byId('curtain-text').textContent = text;
}

function notice(text) {
  byId('notice').hidden = !text;
  byId('notice').textContent = text;
}

async function stop() {
  const old = playing;
  playing = null;
  if (!old) return;
  await (await old.engine)?.destroy();
}

// play makes the screen show what is wanted, if it does not already.
async function play(channel) {
  const engine = engineFor(wanted.protocol);
  const url = wanted.url ?? channel.urls[protocols[wanted.protocol].url];
  const key = [engine, url].join(' ');
  if (playing?.key === key || Date.now() < retryAt) return;
  await stop();
  if (!engine) {
    curtain('Nothing here can play this', missing(), true);
    return;
  }
  curtain('Tuning in', channel.name);
  const mine = { key };
  playing = mine;
  mine.engine = open(engine, video, new URL(url, location.href).href, (text, fatal) => {
    counts.errors.push({ at: Date.now(), text, fatal });
    if (counts.errors.length > 100) counts.errors.shift();
    if (fatal && playing === mine) retry(text);
  }).catch((e) => {
    if (playing === mine) retry(e.message);
  });
  const opened = await mine.engine;
  if (playing !== mine || !opened) return;
  mine.opened = opened;
  byId('engine').textContent = `through ${opened.title}`;
  video.play().catch(() => {}); // muted: only a strange policy refuses, and the controls are there
}

function retry(text) {
  notice(`The player stopped: ${text}. Trying again.`);
  retryAt = Date.now() + 700;
  setTimeout(show, 750);
  stop();
}

// missing says what would be needed to play everything.
function missing() {
  const lacks = ['hlsjs', 'shaka'].filter((e) => !engines[e]).map((e) => titles[e]);
  if (lacks.length === 0) return '';
  return `${lacks.join(' and ')} ${lacks.length > 1 ? 'are' : 'is'} not built into this server: run “make page” (it needs npm) and build again. `
    + (engines.native ? 'Until then HLS plays through this browser, some seconds behind.' : 'This browser has no HLS of its own.');
}

// stats is one sample of what the viewer gets.
function stats() {
  const q = video.getVideoPlaybackQuality?.() ?? {};
  const engine = playing?.opened;
  const ranges = video.buffered;
  let buffer = NaN;
  for (let i = 0; i < ranges.length; i++) {
    if (ranges.start(i) <= video.currentTime + 0.1 && ranges.end(i) >= video.currentTime) buffer = ranges.end(i) - video.currentTime;
  }
  const latency = engine && video.readyState >= 2 ? (now() - engine.date()) / 1000 : NaN;
  return {
    channel: current()?.name, protocol: wanted.protocol, player: engine?.name,
    latency, buffer, dropped: engine ? q.droppedVideoFrames ?? NaN : NaN, decoded: q.totalVideoFrames ?? NaN,
    width: video.videoWidth, height: video.videoHeight, rate: video.playbackRate, time: video.currentTime,
    paused: video.paused, stalls: counts.stalls, errors: counts.errors.slice(),
  };
}

window.moqpack = { get player() { return playing?.opened?.player; }, stats };

function choose(change) {
  Object.assign(wanted, change, { url: null });
  counts.stalls = 0;
  retryAt = 0;
  const q = new URLSearchParams({ channel: wanted.channel ?? current()?.name ?? '', protocol: wanted.protocol });
  history.replaceState(null, '', `?${q}`);
  notice('');
  show();
}

function show() {
  const channel = current();
  showChannels(channels, channel, (name) => choose({ channel: name }));
  showProtocols(wanted.protocol, (p) => protocols[p].engines.some((e) => engines[e]), (protocol) => choose({ protocol, engine: null }));
  if (!channel) {
    curtain('No channel', 'It appears with its broadcast: moqpack serve --relay … --namespace …, or --listen … --allow … for publishers that connect', true);
    return;
  }
  showChannel(channel);
  if (wanted.url || hasMedia(channel)) {
    play(channel);
    return;
  }
  stop();
  const words = { waiting: 'Waiting for the broadcast', failed: 'This channel has given up', ended: 'The broadcast is over' };
  curtain(words[channel.state] ?? 'Almost there', channel.state === 'failed' ? channel.error : [channel.relay, channel.namespace].filter(Boolean).join('  ·  '), channel.state === 'failed');
}

async function refresh() {
  try {
    channels = await fetch('/api/channels').then((r) => r.json());
    show();
  } catch {
    notice('The server does not answer. Trying again.');
  }
  const c = current();
  setTimeout(refresh, c && hasMedia(c) ? 1000 : 300);
}

// measureSkew asks the server for the time: latency is against its clock, not this machine's.
async function measureSkew() {
  const sent = Date.now();
  const text = await fetch('/time', { cache: 'no-store' }).then((r) => r.text());
  const received = Date.now();
  if (received - sent < 1000) skew = Date.parse(text) - (sent + received) / 2;
}

video.addEventListener('playing', () => {
  byId('curtain').classList.add('open');
  notice(missing());
  byId('sound').hidden = !video.muted;
});
video.addEventListener('waiting', () => { if (video.currentTime > 0) counts.stalls++; });
video.addEventListener('ended', () => curtain('The broadcast is over', '', true));
video.addEventListener('volumechange', () => { byId('sound').hidden = !video.muted; });
byId('sound').addEventListener('click', () => { video.muted = false; });

video.muted = true;
engines = await available(video);
measureSkew().catch(() => {});
refresh();
setInterval(() => showReadings(stats()), 500);
