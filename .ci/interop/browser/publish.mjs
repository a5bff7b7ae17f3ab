// publish.mjs RELAY NAME SPKI: a Chromium publishes its fake camera and microphone with @moq/publish until it is interrupted. SPKI is
// the SHA-256 of the relay's public key, in base64: the browser trusts no other without an authority.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { browse, here, serve } from '../../e2e/lib.mjs';

const [relay, name, spki] = process.argv.slice(2);
const root = mkdtempSync(join(tmpdir(), 'publish-'));
await build({
  stdin: { contents: "import '@moq/publish/element';", resolveDir: join(here, '../interop/browser') },
  bundle: true, format: 'esm', outfile: join(root, 'publish.js'), logLevel: 'error',
});
writeFileSync(join(root, 'index.html'), `<!doctype html><title>publisher</title><script type="module" src="publish.js"></script>
<moq-publish url="${relay}" name="${name}" source="camera"><video muted autoplay></video></moq-publish>`);

const server = await serve(root);
const browser = await browse(['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream',
  `--ignore-certificate-errors-spki-list=${spki}`, '--webtransport-developer-mode']);
const page = await browser.context.newPage();
page.on('console', (m) => console.log(`${m.type()}: ${m.text()}`));
page.on('pageerror', (e) => console.log(`error: ${e.message}`));
await page.goto(`${server.url}/index.html`);
process.on('SIGINT', async () => {
  await browser.close();
  server.close();
  process.exit(0);
});
