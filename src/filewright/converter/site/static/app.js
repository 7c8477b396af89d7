// @ts-check
/**
 * The page: files come in, rows show how they stand, a bar sums up. All state is the queue's; this module carries its
 * changes to the views and a person's wishes back, and keeps what belongs to the page as a whole: its three looks
 * (empty, working, done), title, announcements, where the focus goes, language and colours.
 */
import { createApi, createCatalogue } from './api.js';
import { openChooser } from './chooser.js';
import { attribute, h, meter, text } from './dom.js';
import { createEvents } from './events.js';
import { formatName, language, languages, onLanguage, preferredLanguage, setLanguage, t, translate } from './i18n.js';
import { icon } from './icons.js';
import { filesOfInput, watchIntake } from './intake.js';
import { createKeep, keepOnly } from './keep.js';
import { openOptions } from './options.js';
import { createQueue } from './queue.js';
import { reason, rowView } from './row.js';
import { remember, nextTheme, theme } from './theme.js';
import { thumbnail } from './thumbnail.js';
import * as units from './units.js';
import { createUploads } from './uploads.js';

/** @typedef {import('./queue.js').Row} Row */

/** News is gathered for this long before it is read out, so that thirty files make one sentence. */
const GATHER = 800;

const root = document.documentElement;
const at = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** Whoever is signed in has rows of their own; those of whoever was before them are forgotten. */
const person = /** @type {HTMLElement|null} */ (document.querySelector('.person'));
const api = createApi({ onEnd: () => person && location.reload() });
const catalogue = createCatalogue(api);
const keep = createKeep({ name: keepOnly(person?.dataset.person) });
const queue = createQueue({ api, uploads: createUploads(api), events: createEvents(), keep, catalogue });

/** @type {Map<string, ReturnType<typeof rowView>>} */
let views = new Map();
let restored = false;
/** How each row stood when it was last looked at, to tell what is news. @type {Map<string, string>} */
const stood = new Map();

// ── What stays ──────────────────────────────────────────────────────────────────────────────────────────────────────

const list = h('ol', { class: 'rows', hidden: true });
const offline = h('p', { class: 'notice offline', hidden: true }, icon('offline'), h('span', { 'data-t': 'page.offline' }));
const news = h('p', { class: 'unseen', role: 'status' });
const sum = { words: h('p'), progress: meter() };
const clear = h('button', { type: 'button', class: 'button small quiet absent', 'data-t': 'bar.clear', onclick: () => queue.clearDone() });
// These two share a place: what can be started comes before what can be fetched. What is not needed keeps its room.
const downloadAll = h('button', { type: 'button', class: 'button small absent', 'data-t': 'bar.download', onclick: download });
const startAll = h('button', { type: 'button', class: 'button small absent', 'data-t': 'bar.start', onclick: () => queue.startAll() });
const bar = h('section', { class: 'bar', tabindex: -1, hidden: true, 'data-t-label': 'bar.label' },
  h('div', { class: 'sum' }, sum.words, sum.progress.element), h('div', { class: 'actions' }, clear, h('div', { class: 'one-of' }, downloadAll, startAll)));

// ── Files in ────────────────────────────────────────────────────────────────────────────────────────────────────────

const pickFiles = picker({ multiple: true });
const pickFolder = picker({ webkitdirectory: true });

function picker(/** @type {object} */ kind) {
  const input = h('input', { type: 'file', hidden: true, onchange: () => add(filesOfInput(input)), ...kind });
  return input;
}

/** @param {{file: File, path: string}[]} files */
async function add(files) {
  if (!files.length) return;
  const before = new Set(queue.rows.map((row) => row.id));
  await catalogue.ready; // a row that says nothing of its file would have to change at once
  queue.add(files);
  const added = queue.rows.filter((row) => !before.has(row.id));
  draw(new Set(added.map((row) => row.id)));
  tell(() => t('live.added', { n: added.length }));
  focusNext(added[0]?.id);
}

/** One more key press starts: the button of the one new file, or the one for all. */
function focusNext(/** @type {string|undefined} */ id) {
  const view = views.get(id ?? '');
  if (!view) return;
  if (isThere(startAll)) startAll.focus({ preventScroll: true });
  else view.focusMain();
}

// ── What a person can do with a row ─────────────────────────────────────────────────────────────────────────────────

/** @type {import('./row.js').Actions} */
const actions = {
  catalogue,
  thumbnail: (row) => thumbnail(row, { api }),
  start: (row) => queue.start(row.id),
  stop: (row) => (isBusy(row) ? queue.cancel(row.id) : remove(row)),
  retry: (row, change) => queue.retry(row.id, change),
  preview: async (row) => (await import('./preview.js')).openPreview({ row, api, catalogue }),
  curl: async (row) => (await import('./handover.js')).openHandover({ row, api, catalogue }),

  chooseFor(row, anchor) {
    openChooser({
      anchor, row, catalogue, alike: alike(row),
      onChoose(target, forKind) {
        queue.choose(row.id, target, target === row.target ? row.options : {});
        if (forKind) queue.applyToKind(row.id);
        draw(new Set([row.id]));
        views.get(row.id)?.focusMain();
      },
    });
  },

  async optionsFor(row, anchor) {
    const from = /** @type {string} */ (row.format);
    const to = /** @type {string} */ (row.target);
    const route = await catalogue.route(from, to);
    const others = alike(row);
    const format = catalogue.format(from);
    openOptions({
      anchor, schemas: route.options, values: row.options,
      title: t('options.for', { from: from.toUpperCase(), to: to.toUpperCase() }),
      alike: others && format ? t('options.kind', { n: others, format: formatName(format) }) : null,
      onChange(values, forKind) {
        queue.choose(row.id, to, values);
        if (forKind) queue.applyToKind(row.id);
      },
    });
  },
};

const isOver = (/** @type {Row} */ row) => ['succeeded', 'failed', 'cancelled', 'expired'].includes(row.phase);
const isWaiting = (/** @type {Row} */ row) => row.phase === 'ready' || (row.phase === 'uploading' && !row.wanted);
const isBusy = (/** @type {Row} */ row) => !isOver(row) && !isWaiting(row);

/** How many other files of the same kind are not started. */
const alike = (/** @type {Row} */ row) => queue.rows.filter((other) => other.id !== row.id && other.format === row.format && isWaiting(other)).length;

/** The focus goes to the next row, as in any list. */
function remove(/** @type {Row} */ row) {
  const element = views.get(row.id)?.element;
  const next = /** @type {HTMLElement|null} */ (element?.nextElementSibling ?? element?.previousElementSibling);
  const held = element?.contains(document.activeElement);
  queue.remove(row.id);
  if (held) /** @type {HTMLElement} */ (next?.querySelector('.end') ?? at('choose')).focus();
}

/** All that is done in one file, or, where that would be too large or not all can be had any more, one after the other. */
async function download() {
  if (downloadAll.ariaBusy) return;
  const rows = queue.rows.filter(({ phase, job }) => phase === 'succeeded' && job);
  downloadAll.ariaBusy = 'true';
  try {
    const { fits, saveAll } = await import('./bundle.js');
    if (fits(rows)) await saveAll(rows, api);
    else rows.forEach(save);
  } catch {
    rows.forEach(save);
  } finally {
    downloadAll.ariaBusy = null;
  }
}

function save(/** @type {Row} */ { job }) {
  const { id, outputs } = /** @type {import('./api.js').Job} */ (job);
  h('a', outputs.length > 1 ? { href: `/v1/jobs/${id}/outputs`, download: '' } : { href: outputs[0].url, download: outputs[0].name }).click();
}

// ── From the queue to the page ──────────────────────────────────────────────────────────────────────────────────────

function draw(/** @type {Set<string>} */ changed) {
  const fresh = [];
  for (const id of changed) {
    const row = queue.get(id);
    const view = views.get(id);
    if (!row) {
      view?.element.remove();
      views.delete(id);
      stood.delete(id);
    } else if (view) {
      view.update(row);
      notice(row);
    } else {
      const made = rowView(row, actions);
      views.set(id, made);
      stood.set(id, row.phase);
      fresh.push(made.element);
    }
  }
  list.append(...fresh);
  if (restored) drawSummary(); // before, the page looks as it did when it was left
}

function drawSummary() {
  const { all, done, failed, secondsLeft } = queue.summary();
  const waiting = queue.rows.filter(isWaiting);
  const held = bar.contains(document.activeElement);
  const focused = document.activeElement;
  root.dataset.state = all ? 'working' : 'empty';
  remember(all > 0);
  list.hidden = !all;
  bar.hidden = all < 2; // a row alone says all there is to say

  const busy = queue.rows.some(isBusy);
  // One text: a second one beside it would move whenever this one grows.
  const said = [done || busy ? t('bar.done', { done, n: all }) : t('bar.files', { n: all }), failed && t('bar.failed', { n: failed }),
    busy && secondsLeft && t('bar.left', { time: units.duration(secondsLeft) })];
  text(sum.words, said.filter(Boolean).join(' · '));
  sum.progress.element.classList.toggle('absent', !busy);
  sum.progress.show(shareDone());
  place(startAll, waiting.some((row) => row.target) && waiting.length > (busy || done ? 0 : 1));
  place(downloadAll, !isThere(startAll) && done > 1);
  place(clear, queue.rows.some((row) => isOver(row) && row.phase !== 'failed'));
  if (held && focused !== bar && !isThere(/** @type {Element} */ (focused))) bar.focus({ preventScroll: true });
  // Whoever started all from the keyboard goes on to what came of it.
  if (focused === bar && !busy && isThere(downloadAll)) downloadAll.focus({ preventScroll: true });

  offline.hidden = !queue.rows.some((row) => row.offline) && navigator.onLine;
  const words = title(all, done, failed, busy);
  if (document.title !== words) document.title = words;
}

const isThere = (/** @type {Element} */ button) => !bar.hidden && !button.classList.contains('absent');
const place = (/** @type {Element} */ button, /** @type {boolean} */ there) => button.classList.toggle('absent', !there);

/** Of all that is started, how much is done. */
function shareDone() {
  const rows = queue.rows.filter((row) => !isWaiting(row));
  const share = (/** @type {Row} */ row) => (isOver(row) ? 1 : (row.job?.progress ?? 0) / 100);
  return rows.length ? rows.reduce((total, row) => total + share(row), 0) / rows.length : 0;
}

function title(/** @type {number} */ all, /** @type {number} */ done, /** @type {number} */ failed, /** @type {boolean} */ busy) {
  if (busy) return t('page.title.working', { done, n: all });
  if (failed) return t('page.title.failed', { n: failed });
  return all > 0 && done === all ? t('page.title.done') : 'Filewright';
}

// ── What is read out ────────────────────────────────────────────────────────────────────────────────────────────────

/** @type {(() => string)[]} */
let gathered = [];

/** @param {() => string} sentence */
function tell(sentence) {
  gathered.push(sentence);
  if (gathered.length === 1) setTimeout(readOut, GATHER);
}

function readOut() {
  const { all, done } = queue.summary();
  const words = gathered.length === 1 ? gathered[0]() : done === all ? t('live.all', { n: all }) : t('live.many', { done, n: all });
  gathered = [];
  news.textContent = words;
}

function notice(/** @type {Row} */ row) {
  const before = stood.get(row.id);
  stood.set(row.id, row.phase);
  if (before === row.phase) return;
  if (row.phase === 'succeeded') tell(() => t('live.done', { name: row.name }));
  if (row.phase === 'failed' && row.problem) {
    const { title: what } = reason(row);
    tell(() => t('live.failed', { name: row.name, reason: what }));
  }
}

addEventListener('offline', () => {
  drawSummary();
  tell(() => t('live.offline'));
});
addEventListener('online', () => {
  drawSummary();
  tell(() => t('live.online'));
});

// ── Language and colours ────────────────────────────────────────────────────────────────────────────────────────────

function tools() {
  const choice = h('select', { onchange: () => setLanguage(choice.value, { remember: true }) },
    Object.entries(languages).map(([code, name]) => h('option', { value: code, lang: code }, name)));
  const colours = h('button', { type: 'button', class: 'plain', onclick: () => show(nextTheme()) });
  const show = (/** @type {string} */ now) => {
    colours.replaceChildren(icon({ auto: 'auto', light: 'sun', dark: 'moon' }[now] ?? 'auto'));
    attribute(colours, 'aria-label', t(`page.theme.${now}`));
    attribute(colours, 'title', t(`page.theme.${now}`));
  };
  const speak = () => {
    choice.value = language();
    attribute(choice, 'aria-label', t('page.language'));
    show(theme());
  };
  onLanguage(speak);
  at('tools').replaceChildren(choice, colours);
  speak();
}

/** Everything that was said is said again in the other language. */
function speak() {
  translate(document);
  attribute(list, 'aria-label', t('list.label'));
  attribute(sum.progress.element, 'aria-label', t('bar.label'));
  attribute(clear, 'aria-label', t('bar.clear.label'));
  sayLimits();
  views = new Map();
  list.replaceChildren();
  drawAll();
}

const drawAll = () => draw(new Set(queue.rows.map((row) => row.id)));

function sayLimits() {
  const limits = catalogue.limits;
  if (!limits) return;
  const time = units.duration(limits.retention_seconds, 'long');
  text(at('privacy'), t(limits.tier === 'local' ? 'page.privacy.local' : 'page.privacy.server', { time }));
  text(at('limit'), t('intake.limit', { size: units.bytes(limits.max_input_bytes) }));
}

// ── Begin ───────────────────────────────────────────────────────────────────────────────────────────────────────────

async function begin() {
  at('page').append(offline, list, bar, news, pickFiles, pickFolder);
  at('choose').addEventListener('click', () => pickFiles.click());
  at('folder').addEventListener('click', () => pickFolder.click());
  watchIntake({ onFiles: add });
  queue.subscribe(draw);
  onLanguage(speak);
  tools();
  await setLanguage(preferredLanguage());
  catalogue.ready.then(() => {
    sayLimits();
    drawAll();
  });
  await queue.restore();
  restored = true;
  drawAll();
  delete root.dataset.restoring;
}

begin();
