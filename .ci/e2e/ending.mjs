// ending.mjs ORIGIN CONTROL: plays the channel "demo" of the origin with all players while its publisher (e2e/publisher, which
// listens to CONTROL) ends the broadcast. Each player must come to the end without a fatal error; and who comes later must get
// the recording, from its beginning.
//
//   node ending.mjs http://127.0.0.1:8080 http://127.0.0.1:4444
import { parseArgs } from 'node:util';
import { artefacts, browse, Checks, here, open, serve, sleep } from './lib.mjs';
import { join } from 'node:path';

const LATEST_MS = 20000; // to come to the end: plain views are three segments behind it
const GOODBYE_MS = 62000; // until MPDs are those of a recording, which begins at zero
const LONGEST_S = 120; // of a recording of 30 segments of 2 s

// halts: may wait for more a moment before the end of the last track.
const cases = [
  { name: 'hlsjs-llhls', page: 'hlsjs', path: 'index.m3u8', halts: true },
  { name: 'hlsjs-hls', page: 'hlsjs', path: 'legacy.m3u8' },
  { name: 'dashjs-lldash', page: 'dashjs', path: 'index.mpd' },
  { name: 'dashjs-dash', page: 'dashjs', path: 'legacy.mpd' },
  { name: 'shaka-lldash', page: 'shaka', path: 'index.mpd', halts: true },
  { name: 'shaka-dash', page: 'shaka', path: 'legacy.mpd' },
];

const { values: options, positionals: [origin, control] } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' }, channel: { type: 'string', default: 'demo' } },
});

const pages = await serve(here);
const browser = await browse();
const checks = new Checks();
const start = (c) => open(browser, pages, `${origin}/${options.channel}`, c);

const look = (v) => v.page.evaluate(() => ({ ...window.probe(), ended: document.querySelector('video').ended }));

// until waits for a viewer to get somewhere; it returns what was seen last.
async function until(v, ms, reached) {
  for (const stop = Date.now() + ms; ; await sleep(500)) {
    const s = await look(v);
    if (reached(s) || Date.now() > stop) return s;
  }
}

const fatal = (s) => s.faults.filter((f) => f.fatal).map((f) => f.what).join('; ');

async function close(viewers, what) {
  for (const v of viewers) {
    await v.page.screenshot({ path: join(artefacts, `ending-${what}-${v.name}.png`) });
    await v.page.close();
  }
}

try {
  const chosen = cases.filter((c) => !options.only || c.name === options.only);
  const viewers = await Promise.all(chosen.map(start));
  for (const v of viewers) checks.check((await until(v, 20000, (s) => s.frames > 100)).frames > 100, `${v.name}: plays live`);
  const answer = await fetch(`${control}/end`, { method: 'POST' });
  if (!answer.ok) throw new Error(`end: ${answer.status}`);
  await Promise.all(viewers.map(async (v) => {
    const s = await until(v, LATEST_MS, (s) => s.ended);
    checks.check((s.ended || v.halts) && fatal(s) === '', `${v.name}: comes to the end`, fatal(s) || `at ${s.time.toFixed(2)}`);
  }));
  await close(viewers, 'live');
  await sleep(GOODBYE_MS);

  const late = await Promise.all(chosen.map(start));
  await Promise.all(late.map(async (v) => {
    const a = await until(v, 15000, (s) => s.frames > 25);
    const z = await until(v, 5000, (s) => s.frames > a.frames + 75);
    checks.check(z.frames > a.frames + 75 && z.audioBytes > a.audioBytes && fatal(z) === '' && !z.ended, `${v.name}: plays the recording`,
      fatal(z) || `from ${a.time.toFixed(2)} to ${z.time.toFixed(2)}, ${z.frames} frames`);
    const lasts = await v.page.evaluate(() => document.querySelector('video').duration);
    checks.check(lasts > 10 && lasts < LONGEST_S, `${v.name}: knows how long it is`, `${lasts} s`);
  }));
  await close(late, 'vod');
} finally {
  await browser.close();
  pages.close();
}
process.exitCode = checks.failed > 0 ? 1 : 0;
