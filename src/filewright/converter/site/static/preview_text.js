// @ts-check
/**
 * Text and tables: the beginning of a file, read as text and never as anything else.
 *
 * Only the first 256 KiB travel, and only the first 200 lines (or records) are shown, however large the file is.
 */
import { h } from './dom.js';
import { t } from './i18n.js';

const MOST_BYTES = 256 << 10;
const MOST_LINES = 200;
const LONGEST_LINE = 4000;
const MOST_COLUMNS = 100;
const LONGEST_CELL = 300;

/** @typedef {import('./preview_jobs.js').Bench} Bench @typedef {import('./preview_jobs.js').Output} Output */

/**
 * The beginning of an output as text; null if its bytes are no text.
 * @param {Bench} bench
 * @param {Output} output
 * @returns {Promise<{text: string, whole: boolean}|null>}
 */
export async function beginning(bench, output) {
  if (output.bytes === 0) return { text: '', whole: true };
  const blob = await bench.bytes(output.url, MOST_BYTES);
  const text = decoded(new Uint8Array(await blob.arrayBuffer()));
  return text === null ? null : { text, whole: output.bytes <= MOST_BYTES };
}

/** @returns {string|null} */
export function decoded(/** @type {Uint8Array} */ bytes) {
  const [first, second] = bytes;
  const wide = first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : null;
  if (wide) return new TextDecoder(wide).decode(bytes, { stream: true });
  if (bytes.includes(0)) return null;
  try {
    // As a stream, so that a letter cut in two at the end is left out instead of being an error.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
  } catch {
    return isOldText(bytes) ? new TextDecoder('windows-1252').decode(bytes) : null;
  }
}

/** Whether bytes that are no UTF-8 may be text of one byte a letter: text hardly has control characters. */
function isOldText(/** @type {Uint8Array} */ bytes) {
  const controls = bytes.filter((byte) => byte < 32 && (byte < 9 || byte > 13) && byte !== 27).length;
  return controls * 100 < bytes.length;
}

/** The text, with numbered lines. */
export function textView(/** @type {{text: string, whole: boolean}} */ { text, whole }) {
  const lines = text.split(/\r\n|\r|\n/, MOST_LINES + 1);
  if (lines.at(-1) === '' && lines.length > 1) lines.pop();
  const shown = lines.slice(0, MOST_LINES);
  const cut = !whole || lines.length > MOST_LINES;
  return {
    element: h('pre', { class: 'preview-text', tabindex: 0, role: 'region', 'aria-label': t('preview.text'), dir: 'auto' },
      shown.map((line) => h('code', {}, clipped(line, LONGEST_LINE), '\n'))),
    note: text === '' ? t('preview.empty') : cut ? t('preview.lines', { n: shown.length }) : '',
  };
}

/** The table. The first record names the columns. */
export function tableView(/** @type {{text: string, whole: boolean}} */ { text, whole }, /** @type {string} */ delimiter) {
  const { records, more } = parseTable(text, delimiter, MOST_LINES + 1, whole);
  const [titles = [], ...rows] = records;
  const width = Math.min(MOST_COLUMNS, records.reduce((most, record) => Math.max(most, record.length), 0));
  const columns = [...Array(width).keys()];
  const cells = (/** @type {string[]} */ record, /** @type {string} */ tag, props = {}) =>
    columns.map((n) => h(tag, { ...props, dir: 'auto' }, clipped(record[n] ?? '', LONGEST_CELL)));
  const cut = more || !whole;
  return {
    element: h('div', { class: 'preview-table', tabindex: 0, role: 'region', 'aria-label': t('preview.table') },
      h('table', {},
        h('thead', {}, h('tr', {}, h('td'), cells(titles, 'th', { scope: 'col' }))),
        h('tbody', {}, rows.map((row, n) => h('tr', {}, h('th', { scope: 'row' }, n + 1), cells(row, 'td')))))),
    note: records.length === 0 ? t('preview.empty') : cut ? t('preview.rows', { n: rows.length }) : '',
  };
}

/**
 * The first records of a table by RFC 4180: fields in quotes hold delimiters, line ends and doubled quotes. A quote
 * inside a field without quotes is a letter like any other. A record cut off at the end of the text is left out.
 * @param {string} text
 * @param {string} delimiter
 * @param {number} most
 * @param {boolean} whole whether the text ends where the file ends
 * @returns {{records: string[][], more: boolean}} `more`: there are further records in the text
 */
export function parseTable(text, delimiter, most, whole = true) {
  /** @type {string[][]} */
  const records = [];
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  while (at < text.length) {
    if (records.length === most) return { records, more: true };
    const [record, next] = parseRecord(text, at, delimiter);
    if (next === null && !whole) break;
    records.push(record);
    at = next ?? text.length;
  }
  return { records, more: false };
}

/** @returns {[string[], number|null]} the record at `at` and where the next begins; null when the text ended before it */
function parseRecord(/** @type {string} */ text, /** @type {number} */ at, /** @type {string} */ delimiter) {
  const record = [];
  for (;;) {
    let field = '';
    if (text[at] === '"') {
      const [content, after] = quoted(text, at + 1);
      field = content;
      at = after;
    }
    const from = at;
    while (at < text.length && text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r') at += 1;
    record.push(field + text.slice(from, at));
    if (at >= text.length) return [record, null];
    if (text[at] !== delimiter) return [record, at + (text.startsWith('\r\n', at) ? 2 : 1)];
    at += 1;
  }
}

/** @returns {[string, number]} the content of a quoted field, and where it ends */
function quoted(/** @type {string} */ text, /** @type {number} */ at) {
  let content = '';
  for (;;) {
    const end = text.indexOf('"', at);
    if (end < 0) return [content + text.slice(at), text.length];
    content += text.slice(at, end);
    if (text[end + 1] !== '"') return [content, end + 1];
    content += '"';
    at = end + 2;
  }
}

const clipped = (/** @type {string} */ words, /** @type {number} */ most) => (words.length > most ? `${words.slice(0, most)}…` : words);
