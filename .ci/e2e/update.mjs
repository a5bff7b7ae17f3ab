// update.mjs ORIGIN CONTROL: plays the channel "demo" of the origin with all players at once while its publisher (e2e/publisher with
// -absent audio-sv,video-270, which listens to CONTROL) adds a language and a picture to the catalog, and takes them away from those
// who watch them. Players that read their manifest again must learn of both and be able to switch to them, hls.js 1.7 must get them
// if it comes later, because it reads its multivariant playlist once; and all must play on at the live edge with what is left.
//
//   node update.mjs http://127.0.0.1:8080 http://127.0.0.1:4444 [--only dashjs-dash]
import { parseArgs } from 'node:util';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { artefacts, browse, Checks, here, open, quantile, serve, sleep } from './lib.mjs';

const LATEST_MS = 30000; // to learn, to switch or to come back: plain views are three segments behind, and a period begins three ahead
const LOOK_MS = 3000; // how long it must play then
const LIVE = 10; // seconds from glass to glass that still are live; of plain views more, and of hls.js, which keeps what a hiccup cost it

// late: comes when everything is there. once: reads what there is to choose from when it begins.
const cases = [
  { name: 'hlsjs-llhls', page: 'hlsjs', path: 'index.m3u8', once: true, live: 20 },
  { name: 'dashjs-lldash', page: 'dashjs', path: 'index.mpd' },
  { name: 'dashjs-dash', page: 'dashjs', path: 'legacy.mpd', live: 20 },
  { name: 'shaka-lldash', page: 'shaka', path: 'index.mpd' },
  { name: 'shaka-dash', page: 'shaka', path: 'legacy.mpd', live: 20 },
  { name: 'hlsjs-late', page: 'hlsjs', path: 'index.m3u8', late: true },
];

const { values: options, positionals: [origin, control] } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' }, channel: { type: 'string', default: 'demo' } },
});

const pages = await serve(here);
const browser = await browse();
const checks = new Checks();
const start = (c) => open(browser, pages, `${origin}/${options.channel}`, c);

const look = (v) => v.page.evaluate(() => ({ ...window.probe(), choice: window.choice() }));

// newest is the track of which a viewer asked last for media, of those whose names begin so.
function newest(v, kind) {
  const asked = v.log.urls.filter((u) => u.includes(`/${options.channel}/${kind}-`) && /\.m4s(\?|$)/.test(u)).at(-1) ?? '';
  return asked.split(`/${options.channel}/`).at(-1).split('/')[0];
}

// plays looks at the last seconds: the picture moves, sound is decoded, and both are live. The barcode starts anew every 32 s, so that
// the player's word counts if it is worse.
function plays(v) {
  const z = v.samples.at(-1);
  const a = v.samples.findLast((s) => s.now <= z.now - LOOK_MS) ?? z;
  const last = v.samples.filter((s) => s.now >= a.now);
  const wall = (z.now - a.now) / 1000;
  const fps = (z.frames - a.frames) / wall;
  const behind = quantile(last.map((s) => Math.max(s.glass ?? NaN, s.latency || 0)), 0.5);
  const ok = fps > 15 && z.audioBytes > a.audioBytes && z.time - a.time > 0.7 * wall && behind < (v.live ?? LIVE)
    && !z.faults.some((f) => f.fatal);
  return { ok, how: `${fps.toFixed(1)} frames a second, ${behind.toFixed(2)} s behind` };
}

// until samples the viewers twice a second until each has been where it should be for LOOK_MS and plays.
async function until(viewers, what, where) {
  const begun = Date.now();
  const since = new Map(); // when a viewer got there
  const done = new Map(); // when it had been there for long enough
  while (Date.now() < begun + LATEST_MS && done.size < viewers.length) {
    await sleep(500);
    await Promise.all(viewers.map(async (v) => {
      v.samples.push(await look(v));
      if (!where(v, v.samples.at(-1))) since.delete(v);
      else if (!since.has(v)) since.set(v, Date.now());
      if (!done.has(v) && since.has(v) && Date.now() - since.get(v) >= LOOK_MS && plays(v).ok) done.set(v, Date.now() - begun);
    }));
  }
  for (const v of viewers) {
    const z = v.samples.at(-1);
    const ok = checks.check(done.has(v), `${v.name}: ${what}`, `${done.has(v) ? `after ${(done.get(v) / 1000).toFixed(1)} s` : 'never'}; `
      + `${plays(v).how}; ${newest(v, 'video')}, ${newest(v, 'audio')}, ${z.width} wide, of ${z.choice.languages} and ${z.choice.heights}`);
    if (!ok) for (const e of [...z.faults.map((f) => f.what), ...v.log.bad].slice(-10)) console.log(`       ${e.slice(0, 300)}`);
  }
}

async function update(what) {
  const answer = await fetch(`${control}/update?${what}`, { method: 'POST' });
  if (!answer.ok) throw new Error(`${what}: ${answer.status} ${await answer.text()}`);
}

// listed waits until the multivariant playlist, which who comes later reads once, has what is new.
async function listed(what) {
  for (const end = Date.now() + LATEST_MS; ; await sleep(200)) {
    if (what.test(await (await fetch(`${origin}/${options.channel}/index.m3u8`)).text())) return;
    if (Date.now() > end) throw new Error(`index.m3u8 never has ${what}`);
  }
}

const offered = (s) => s.choice.languages.includes('sv') && s.choice.heights.includes(270);

try {
  const chosen = cases.filter((c) => !options.only || c.name === options.only);
  const viewers = await Promise.all(chosen.filter((c) => !c.late).map(start));
  await until(viewers, 'plays what there is', (v, s) => s.frames > 100 && !offered(s));

  await update('add=audio-sv&add=video-270');
  await listed(/LANGUAGE="sv"[^]*RESOLUTION=480x270/);
  viewers.push(...await Promise.all(chosen.filter((c) => c.late).map(start)));
  await until(viewers, 'plays on, and learns of what is new if it can', (v, s) => s.frames > 50 && (v.once || offered(s)));

  const choosers = viewers.filter((v) => !v.once);
  await Promise.all(choosers.map((v) => v.page.evaluate(() => window.choose('sv', 270))));
  await until(choosers, 'switches to it', (v, s) => newest(v, 'audio') === 'audio-sv' && newest(v, 'video') === 'video-270' && s.width === 480);

  await update('remove=audio-sv&remove=video-270');
  await until(viewers, 'goes on with what is left',
    (v, s) => newest(v, 'audio') === 'audio-en' && newest(v, 'video') !== 'video-270' && s.width !== 480);
  for (const v of viewers) {
    await v.page.screenshot({ path: join(artefacts, `update-${v.name}.png`) });
    await writeFile(join(artefacts, `update-${v.name}.json`), JSON.stringify({ samples: v.samples, log: v.log }, null, 1));
  }
} finally {
  await browser.close();
  pages.close();
}
process.exitCode = checks.failed > 0 ? 1 : 0;
