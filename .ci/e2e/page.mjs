// page.mjs URL -- COMMAND...: starts the command, opens the page at the URL as soon as it answers, and wants a moving
// picture within 5 s of the start. Chromium is up before the clock starts.
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { artefacts, browse, Checks, sleep, watch } from './lib.mjs';

const LIMIT_MS = 5000;

const [url, dashes, ...command] = process.argv.slice(2);
if (dashes !== '--' || command.length === 0) throw new Error('usage: page.mjs URL -- COMMAND...');
const checks = new Checks();
const browser = await browse();
const page = await browser.context.newPage();
const log = watch(page);

const start = Date.now();
const demo = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
const printed = { stdout: '', stderr: '' };
for (const stream of ['stdout', 'stderr']) demo[stream].on('data', (d) => { printed[stream] += d; });
const gone = new Promise((ok) => demo.on('exit', ok));

// moving waits for two samples between which frames were decoded and the picture changed.
async function moving(deadline) {
  const look = () => page.evaluate(() => {
    const v = document.querySelector('video');
    if (!v?.videoWidth) return { frames: 0 };
    const c = document.createElement('canvas');
    c.width = 64; c.height = 36;
    const x = c.getContext('2d');
    x.drawImage(v, 0, 0, 64, 36);
    return { frames: v.getVideoPlaybackQuality().totalVideoFrames, time: v.currentTime, picture: c.toDataURL() };
  });
  for (let last = { frames: 0 }; Date.now() < deadline; await sleep(100)) {
    const now = await look().catch(() => ({ frames: 0 }));
    if (last.frames > 0 && now.frames > last.frames && now.time > last.time && now.picture !== last.picture) return Date.now() - start;
    last = now;
  }
  return NaN;
}

try {
  let open = NaN;
  while (Date.now() - start < 4 * LIMIT_MS) {
    try {
      await page.goto(url, { timeout: 2000, waitUntil: 'commit' });
      open = Date.now() - start;
      break;
    } catch { await sleep(50); }
  }
  checks.check(Number.isFinite(open), 'the page answers', `after ${open} ms`);
  const took = await moving(start + 4 * LIMIT_MS);
  await page.screenshot({ path: join(artefacts, 'page.png') });
  checks.check(took < LIMIT_MS, `a moving picture within ${LIMIT_MS / 1000} s of the start`, `after ${took} ms`);
  for (const u of ['/demo/index.m3u8', '/demo/index.mpd', '/demo/legacy.m3u8', '/demo/legacy.mpd']) {
    checks.check(`${printed.stdout}${printed.stderr}`.includes(u), `the demo prints ${u}`);
  }
  await sleep(10000);
  await page.screenshot({ path: join(artefacts, 'page-later.png') });
  checks.check(Number.isFinite(await moving(Date.now() + 3000)), 'the picture still moves after 10 s');
  checks.check(log.bad.length === 0, 'every response of the page is below 400', log.bad.slice(0, 8).join('; ') || `${log.responses} responses`);
  const errors = log.console.filter((l) => /^(error|pageerror)/.test(l));
  checks.check(errors.length === 0, 'nothing on the console', errors.slice(0, 5).join('; '));
  checks.check(demo.exitCode === null, 'the demo still runs');
} finally {
  try { process.kill(-demo.pid, 'SIGINT'); } catch { /* gone already */ }
  const over = await Promise.race([gone, sleep(5000).then(() => 'timeout')]);
  checks.check(over !== 'timeout', 'the demo ends within 5 s of SIGINT');
  if (over === 'timeout') process.kill(-demo.pid, 'SIGKILL');
  await browser.close();
  await writeFile(join(artefacts, 'demo.log'), `${printed.stdout}\n--- stderr ---\n${printed.stderr}`);
  if (checks.failed > 0) console.log(printed.stdout.slice(-2000), printed.stderr.slice(-4000));
}
process.exitCode = checks.failed > 0 ? 1 : 0;
