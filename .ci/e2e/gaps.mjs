// gaps.mjs ORIGIN CONTROL: plays the channel "demo" of the origin with all players at once while its publisher (e2e/publisher,
// which listens to CONTROL) loses media and dies, and wants each player back at the live edge without a fatal error.
//
//   node gaps.mjs http://127.0.0.1:8080 http://127.0.0.1:4444 [--only hlsjs-llhls]
import { parseArgs } from 'node:util';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { artefacts, browse, Checks, here, quantile, serve, sleep, watch } from './lib.mjs';

// Seconds after which a player is back that was behind: it may not jump further than its own rules allow.
const RECOVERY_MS = 20000;
const SETTLE_MS = 9000; // from the start of a player until it is looked at
const LOOK_MS = 4000; // how long it is looked at then
const LIVE = 10; // seconds from glass to glass that still are live, after a gap of 5 s and whatever the player added to it

// weak: what a player may not get over whatever we answer, and the answers or faults that tell that it is this. Then it must play when
// it is loaded again. Everything else fails.
const cases = [
  { name: 'hlsjs-llhls', page: 'hlsjs', path: 'index.m3u8' },
  { name: 'hlsjs-legacy', page: 'hlsjs', path: 'legacy.m3u8', live: 20 },
  { name: 'dashjs-lldash', page: 'dashjs', path: 'index.mpd' },
  { name: 'dashjs-legacy', page: 'dashjs', path: 'legacy.mpd', live: 20 },
  { name: 'shaka-lldash', page: 'shaka', path: 'index.mpd' },
  {
    // After the 404 of a hinted part that never came, which HLS asks for (rfc8216bis 6.2.6), Shaka 5.2 bars the rendition for 30 s and
    // changes to another, and often at once to a third; and then Chromium may not decode the next key frame. On a machine that is busy
    // the first change after the start can end like that, too (3014).
    name: 'shaka-llhls', page: 'shaka', path: 'index.m3u8',
    weak: {
      when: /^404 .*\/\d+\.\d+\.m4s$|^shaka 3\.3014 /,
      what: 'Shaka 5.2 bars a rendition whose hinted part never came, and may fail to change to another',
    },
  },
];

const faults = [
  { name: 'video', what: 'no video for 5 s', path: 'lose?track=video&for=5s', lasts: 5000 },
  { name: 'audio', what: 'no audio for 5 s', path: 'lose?track=audio&for=5s', lasts: 5000 },
  { name: 'all', what: 'nothing for 5 s', path: 'lose?track=&for=5s', lasts: 5000 },
  { name: 'dead', what: 'the publisher is dead for 6 s', path: 'kill?for=6s', lasts: 6000 },
];

const { values: options, positionals: [origin, control] } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' }, fault: { type: 'string' }, channel: { type: 'string', default: 'demo' } },
});

const pages = await serve(here);
const browser = await browse();
const checks = new Checks();

async function open(c) {
  const page = await browser.context.newPage();
  const src = encodeURIComponent(`${origin}/${options.channel}/${c.path}`);
  const viewer = { ...c, page, log: watch(page), samples: [] };
  await page.goto(`${pages.url}/pages/${c.page}.html?src=${src}`);
  return viewer;
}

// sample asks every player twice a second what it shows, for so long.
async function sample(viewers, ms) {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(500)) {
    await Promise.all(viewers.map(async (v) => v.samples.push(await v.page.evaluate(() => window.probe()))));
  }
}

// judge looks at the last seconds: the picture moves, sound is decoded, and both are live. The barcode starts anew every 32 s,
// so that the player's word counts if it is worse.
function judge(v, what) {
  const z = v.samples[v.samples.length - 1];
  const last = v.samples.filter((s) => s.now > z.now - LOOK_MS);
  const a = last[0];
  const wall = (z.now - a.now) / 1000;
  const fps = (z.frames - a.frames) / wall;
  const behind = quantile(last.map((s) => Math.max(s.glass ?? NaN, s.latency || 0)), 0.5);
  const fatal = z.faults.filter((f) => f.fatal);
  const limit = v.live ?? LIVE;
  const ok = fatal.length === 0 && fps > 15 && z.audioBytes > a.audioBytes && z.time - a.time > 0.7 * wall && behind < limit;
  const how = `${fps.toFixed(1)} frames a second, ${behind.toFixed(2)} s behind`
    + (fatal.length > 0 ? `; fatal: ${fatal.map((f) => f.what).join('; ')}` : '');
  const known = [...v.log.bad, ...z.faults.map((f) => f.what)].some((e) => v.weak?.when.test(e));
  if (ok || !known) return checks.check(ok, `${v.name}: ${what}`, how);
  console.log(`  weak ${v.name}: ${what}: ${how} (${v.weak.what})`);
  return false;
}

async function again(v) {
  await v.page.reload();
  await sample([v], SETTLE_MS);
  judge({ ...v, weak: undefined }, 'plays when it is loaded again');
}

async function trial(f) {
  console.log(`${f.what}:`);
  const viewers = await Promise.all(cases.filter((c) => !options.only || c.name === options.only).map(open));
  await sample(viewers, SETTLE_MS);
  for (const v of viewers) judge(v, 'plays before');
  const answer = await fetch(`${control}/${f.path}`, { method: 'POST' });
  if (!answer.ok) throw new Error(`${f.path}: ${answer.status}`);
  const begun = Date.now();
  await sample(viewers, f.lasts + RECOVERY_MS);
  for (const v of viewers) {
    if (!judge(v, 'plays on')) {
      const z = v.samples[v.samples.length - 1];
      for (const e of z.faults) console.log(`       ${((e.at - begun) / 1000).toFixed(1)} s: ${e.what}`);
      for (const e of v.log.bad) console.log(`       ${e}`);
      if (v.weak) await again(v);
    }
    const name = `gap-${f.name}-${v.name}`;
    await v.page.screenshot({ path: join(artefacts, `${name}.png`) });
    await writeFile(join(artefacts, `${name}.json`), JSON.stringify({ begun, samples: v.samples, log: v.log }, null, 1));
    await v.page.close();
  }
}

try {
  for (const f of faults.filter((f) => !options.fault || f.name === options.fault)) {
    const before = checks.failed;
    await trial(f);
    if (checks.failed === before) continue;
    console.log('once more'); // players have races of their own: what fails twice counts
    checks.failed = before;
    await trial(f);
  }
} finally {
  await browser.close();
  pages.close();
}
process.exitCode = checks.failed > 0 ? 1 : 0;
