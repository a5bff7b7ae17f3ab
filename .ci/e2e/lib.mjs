// What the drivers share: the browser, a static server for the pages, and the bookkeeping of checks.
import { createServer } from 'node:http';
import { readFile, mkdir, rm } from 'node:fs/promises';
import { mkdtempSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';

export const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
export const artefacts = process.env.ARTEFACTS ?? join(here, '..', 'artefacts');
export { sleep };

const types = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript' };

// serve answers with the files beneath root on a free port of loopback, and nothing else.
export async function serve(root) {
  const server = createServer(async (req, res) => {
    const path = normalize(new URL(req.url, 'http://x').pathname);
    try {
      const body = await readFile(join(root, path));
      res.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' }).end(body);
    } catch {
      res.writeHead(path === '/favicon.ico' ? 204 : 404).end();
    }
  });
  await new Promise((ok) => server.listen(0, '127.0.0.1', ok));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

// browse starts a Chromium with an empty profile that plays without a click and makes no calls of its own. more are flags for it.
export async function browse(more = []) {
  await mkdir(artefacts, { recursive: true });
  const profile = mkdtempSync(join(tmpdir(), 'e2e-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    viewport: { width: 1280, height: 800 },
    args: [
      '--no-sandbox', '--autoplay-policy=no-user-gesture-required', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--no-first-run', '--disable-dev-shm-usage', ...more,
    ],
  });
  return {
    context,
    async close() {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

// open has the page of a case play its path beneath base, which is the URL of a channel, and watches it.
export async function open(browser, pages, base, c) {
  const page = await browser.context.newPage();
  const viewer = { ...c, page, log: watch(page), samples: [] };
  await page.goto(`${pages.url}/pages/${c.page}.html?src=${encodeURIComponent(`${base}/${c.path}`)}`);
  return viewer;
}

// watch keeps a log of every response and failed request of a page.
export function watch(page) {
  const log = { responses: 0, bad: [], failed: [], counts: {}, console: [], urls: [] };
  page.on('response', (r) => {
    log.responses++;
    log.urls.push(`${Date.now()} ${r.status()} ${r.url()}`);
    const url = new URL(r.url());
    const kind = url.searchParams.has('_HLS_msn') ? 'blocking reload' : extname(url.pathname) || url.pathname;
    log.counts[kind] = (log.counts[kind] ?? 0) + 1;
    if (r.status() >= 400) log.bad.push(`${r.status()} ${r.url()}`);
  });
  page.on('requestfailed', (r) => log.failed.push(`${r.failure()?.errorText} ${r.url()}`));
  page.on('console', (m) => log.console.push(`${m.type()}: ${m.text()}`));
  page.on('pageerror', (e) => log.console.push(`pageerror: ${e.message}`));
  return log;
}

// Checks collects what was promised and whether it held.
export class Checks {
  failed = 0;

  check(ok, what, detail = '') {
    if (!ok) this.failed++;
    console.log(`  ${ok ? 'ok  ' : 'FAIL'} ${what}${detail === '' ? '' : `: ${detail}`}`);
    return ok;
  }
}

export function quantile(values, q) {
  const v = values.filter(Number.isFinite).sort((a, b) => a - b);
  return v.length === 0 ? NaN : v[Math.min(v.length - 1, Math.floor(q * v.length))];
}

export function requireFile(path) {
  if (!existsSync(path)) throw new Error(`${path} does not exist`);
  return path;
}
