// What every player page offers to the driver: window.probe(), one sample of what the viewer gets.
'use strict';

const video = document.querySelector('video');
const events = { waiting: 0, playing: 0, seeking: 0, error: 0 };
const faults = []; // what a player reported: {at, fatal, what}
let player = { latency: () => NaN };

for (const name of Object.keys(events)) video.addEventListener(name, () => events[name]++);
video.addEventListener('error', () => fault(true, `video: ${video.error?.message}`));
window.addEventListener('error', (e) => fault(true, `page: ${e.message}`));
window.addEventListener('unhandledrejection', (e) => fault(true, `page: ${e.reason}`));

function fault(fatal, what) {
  faults.push({ at: Date.now(), fatal, what });
}

// The clips carry 16 squares along the top edge, 24/640 of the picture's width each, least significant bit first, white is
// 1: the frame's number in a loop of 32 s at 25 fps. Frame n is captured from (n / 25) s after each multiple of 32 s of
// Unix time, so the number on the screen tells the latency from glass to glass.
const LOOP_MS = 32000;
const FRAME_MS = 40;

function barcode() {
  if (!video.videoWidth) return null;
  const width = 640;
  const side = 24;
  const canvas = barcode.canvas ??= Object.assign(document.createElement('canvas'), { width, height: side });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(video, 0, 0, width, width * video.videoHeight / video.videoWidth);
  const row = context.getImageData(0, side / 2, width, 1).data;
  let n = 0;
  for (let bit = 0; bit < 16; bit++) {
    const luma = row[4 * (bit * side + side / 2) + 1];
    if (luma > 80 && luma < 176) return null; // neither black nor white: no barcode
    if (luma >= 176) n |= 1 << bit;
  }
  return n < LOOP_MS / FRAME_MS ? n : null;
}

window.probe = () => {
  const now = Date.now();
  const frame = barcode();
  const quality = video.getVideoPlaybackQuality();
  const glass = frame === null ? null : (((now - frame * FRAME_MS) % LOOP_MS) + LOOP_MS) % LOOP_MS / 1000;
  const buffered = [];
  for (let i = 0; i < video.buffered.length; i++) buffered.push([video.buffered.start(i), video.buffered.end(i)]);
  return {
    now, frame, glass,
    latency: player.latency(),
    time: video.currentTime,
    rate: video.playbackRate,
    paused: video.paused,
    width: video.videoWidth,
    frames: quality.totalVideoFrames,
    dropped: quality.droppedVideoFrames,
    audioBytes: video.webkitAudioDecodedByteCount ?? 0,
    buffered, events: { ...events }, faults: [...faults],
  };
};

// What there is to choose from: the languages of the sound and the heights of the picture, each once; and how to choose.
window.choice = () => ({ languages: [...new Set(player.languages())].sort(), heights: [...new Set(player.heights())].sort() });
window.choose = (language, height) => player.choose(language, height);

const source = new URLSearchParams(location.search).get('src');
