// What the page shows, from what it is given. Texts from the network go in as text, never as markup.
import { protocols } from './engines.js';

const byId = (id) => document.getElementById(id);

function element(tag, props = {}, ...children) {
  const e = Object.assign(document.createElement(tag), props);
  e.append(...children);
  return e;
}

const state = (s) => [element('i', { className: 'dot' }), s];

// Redrawing a list that did not change would take the focus and the selection away.
function fill(id, data, draw) {
  const box = byId(id);
  const key = JSON.stringify(data);
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  box.replaceChildren(...draw());
}

export function showChannels(channels, current, choose) {
  byId('channels').hidden = channels.length < 2;
  fill('channels', channels.map((c) => [c.name, c.state, c === current]), () => channels.map((c) => {
    const b = element('button', { type: 'button', className: c.state, onclick: () => choose(c.name) }, element('i', { className: 'dot' }), c.name);
    b.setAttribute('aria-current', c === current);
    return b;
  }));
}

export function showProtocols(chosen, playable, choose) {
  const names = Object.keys(protocols);
  fill('protocols', [chosen, names.map(playable)], () => names.map((name) => {
    const b = element('button', { type: 'button', textContent: protocols[name].title, disabled: !playable(name), onclick: () => choose(name) });
    b.setAttribute('role', 'radio');
    b.setAttribute('aria-checked', name === chosen);
    return b;
  }));
}

export function showChannel(c) {
  byId('name').textContent = c.name;
  byId('state').className = `state ${c.state}`;
  fill('state', c.state, () => state(c.state));
  const facts = [['Relay', c.relay], ['Namespace', c.namespace], ['Protocol', c.draft], ['Media age', age(c)],
    ['Wall clock', c.clock === 'arrival' && 'measured: when media was made, sent or arrived'],
    ['Rewind', c.rewind ? span(c.rewind) : ''], ...archives(c)].filter(([, v]) => v);
  fill('facts', facts, () => pairs(facts));
  byId('error').hidden = !c.error;
  byId('error').textContent = c.error ?? '';
  showUrls(c);
  showTracks(c);
  const counters = (c.counters ?? []).map((n) => [n.name, n.value.toLocaleString('en')]);
  byId('counters-card').hidden = counters.length === 0;
  fill('counters', counters, () => pairs(counters));
}

const pairs = (list) => list.flatMap(([k, v]) => [element('dt', { textContent: k }), element('dd', { textContent: v })]);

// archives says of every store that the channel is recorded in whether it keeps up.
const archives = (c) => (c.archives ?? []).map((a) => [`Archive on ${a.name}`,
  [a.state, a.behind > 10_000 ? `${span(a.behind)} behind` : '', a.error].filter(Boolean).join(', ')]);

// span writes ms as people do: "2 h 5 min", "3 min 20 s", "12 s".
function span(ms) {
  const s = Math.round(ms / 1000);
  const units = [[Math.floor(s / 3600), 'h'], [Math.floor(s / 60) % 60, 'min'], [s % 60, 's']];
  const from = Math.max(0, units.findIndex(([n]) => n > 0));
  return units.slice(from, from + 2).filter(([n], i) => n > 0 || i === 0).map(([n, u]) => `${n} ${u}`).join(' ');
}

// age is how far behind its clock the newest media of the channel is when it comes out of the server.
function age(c) {
  const ages = c.tracks.filter((t) => t.age !== undefined && !t.ended).map((t) => t.age);
  return ages.length > 0 ? `${(Math.max(0, Math.min(...ages)) / 1000).toFixed(1)} s` : '';
}

function showUrls(c) {
  byId('urls-card').hidden = false;
  fill('urls', c.urls, () => Object.values(protocols).map(({ title, url }) => {
    const href = new URL(c.urls[url], location.href).href;
    const copy = element('button', { type: 'button', textContent: 'Copy', title: `Copy the address of ${title}` });
    copy.onclick = async () => {
      await write(href);
      copy.textContent = 'Copied';
      copy.classList.add('done');
      setTimeout(() => { copy.textContent = 'Copy'; copy.classList.remove('done'); }, 1500);
    };
    return element('li', {}, element('a', { href }, element('span', { textContent: title }), element('small', { textContent: c.urls[url] })), copy);
  }));
}

// write copies text, also where the page has no secure context.
async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element('textarea', { value: text });
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
}

function showTracks(c) {
  const skipped = c.skipped ?? [];
  const tracks = c.tracks.map(({ name, label, codec, language, bitrate, ...t }) => ({ name, label, codec, language, bitrate, what: what(t) }));
  byId('tracks-card').hidden = tracks.length + skipped.length === 0;
  fill('tracks', [tracks, skipped], () => [
    ...tracks.map((t) => element('li', {},
      element('b', { textContent: t.label || t.name }, element('small', { textContent: [t.codec, t.language].filter(Boolean).join(' · ') })),
      element('span', { textContent: t.what }, element('small', { textContent: t.bitrate ? `${(t.bitrate / 1000).toLocaleString('en', { maximumFractionDigits: 0 })} kbit/s` : '' })))),
    ...skipped.map((t) => element('li', { className: 'skipped' }, element('b', { textContent: t.track }, element('small', { textContent: t.reason })), element('span', { textContent: 'skipped' }))),
  ]);
}

function what(t) {
  if (t.kind === 'video') return [t.width && `${t.width}×${t.height}`, t.frameRate && `${t.frameRate} fps`].filter(Boolean).join(' · ');
  if (t.kind === 'audio') return [t.sampleRate && `${t.sampleRate / 1000} kHz`, { 1: 'mono', 2: 'stereo', 6: '5.1' }[t.channels]].filter(Boolean).join(' · ');
  return t.kind;
}

const trace = [];

export function showReadings(s) {
  const number = (v, digits) => (Number.isFinite(v) ? v.toFixed(digits) : '–');
  byId('latency').textContent = number(s.latency, 2);
  byId('buffer').textContent = number(s.buffer, 2);
  byId('dropped').textContent = number(s.dropped, 0);
  byId('picture').textContent = s.width ? `${s.height}p` : '–';
  byId('rate').textContent = s.rate !== 1 && !s.paused ? `${s.rate.toFixed(2)}×` : '';
  trace.push(s.latency);
  if (trace.length > 120) trace.shift();
  draw();
}

// draw shows the last minute of latency, from zero up.
function draw() {
  const top = Math.max(1, ...trace.filter(Number.isFinite)) * 1.15;
  const points = trace.flatMap((v, i) => (Number.isFinite(v) ? [[240 - (trace.length - 1 - i) * 2, 40 - (v / top) * 38]] : []));
  const line = points.map(([x, y], i) => `${i ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');
  byId('trace').querySelector('.line').setAttribute('d', points.length > 1 ? line : '');
  byId('trace').querySelector('.area').setAttribute('d', points.length > 1 ? `${line}L240 40L${points[0][0]} 40Z` : '');
}
