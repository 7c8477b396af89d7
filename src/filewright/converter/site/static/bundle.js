// @ts-check
/**
 * All results as one file, so that nobody is asked about thirty downloads: a ZIP put together here of what the service
 * gives out one by one. Nothing is packed, as most results are so already, and bytes stay where the browser keeps them:
 * read once for their checksum, and never all in memory. What is too much for that, its caller takes file by file.
 */
import { h } from './dom.js';

const MOST_BYTES = 2 ** 30;
const MOST_FILES = 10_000;
const KEPT = 60_000;
/** By whose means names are UTF-8. */
const UNICODE = 0x0800;

/** @typedef {import('./queue.js').Row} Row @typedef {{name: string, url: string, bytes: number}} Result */

/** Whether the results of these rows may go into one file. */
export function fits(/** @type {Row[]} */ rows) {
  const all = rows.flatMap((row) => /** @type {Result[]} */ (row.job?.outputs ?? []));
  return all.length <= MOST_FILES && all.reduce((sum, { bytes }) => sum + bytes, 0) <= MOST_BYTES;
}

/** Hands them to the browser to be saved. @param {Row[]} rows @param {import('./api.js').Api} api */
export async function saveAll(rows, api) {
  const taken = new Set();
  const files = [];
  for (const row of rows) {
    const outputs = /** @type {Result[]} */ (row.job?.outputs ?? []);
    for (const { name, url } of outputs) files.push({ name: unique(place(row, name, outputs.length > 1), taken), blob: await api.blob(url) });
  }
  const url = URL.createObjectURL(await zip(files));
  h('a', { href: url, download: 'filewright.zip' }).click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT);
}

/** In the folders that the file came in; several of one file in one of their own. */
function place(/** @type {Row} */ { name: source, path }, /** @type {string} */ name, /** @type {boolean} */ several) {
  const folders = path.split('/').slice(0, -1).filter((part) => part && part !== '.' && part !== '..');
  if (several) folders.push(source.replace(/\.[^.]+$/, ''));
  return [...folders, name.replaceAll('/', '_')].join('/');
}

/** `a.pdf`, `a (2).pdf`: nobody's result goes over another's, not on disks either that know no capitals. */
function unique(/** @type {string} */ name, /** @type {Set<string>} */ taken) {
  const [, stem, ending] = /** @type {RegExpMatchArray} */ (name.match(/^(.*?)(\.[^./]+)?$/s));
  let free = name;
  for (let n = 2; taken.has(free.toLowerCase()); n += 1) free = `${stem} (${n})${ending ?? ''}`;
  taken.add(free.toLowerCase());
  return free;
}

/** @param {{name: string, blob: Blob}[]} files */
async function zip(files) {
  const now = new Date();
  const time = (now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1);
  const date = ((now.getFullYear() - 1980) << 9) | ((now.getMonth() + 1) << 5) | now.getDate();
  /** @type {BlobPart[]} */
  const parts = [];
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const entries = [];
  let offset = 0;
  for (const { name, blob } of files) {
    const named = new TextEncoder().encode(name);
    const { size } = blob;
    const about = /** @type {const} */ ([[2, 20], [2, UNICODE], [2, 0], [2, time], [2, date], [4, await checksum(blob)], [4, size], [4, size], [2, named.length], [2, 0]]);
    const head = record([4, 0x04034b50], ...about);
    parts.push(head, named, blob);
    entries.push(record([4, 0x02014b50], [2, 20], ...about, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]), named);
    offset += head.length + named.length + size;
  }
  const length = entries.reduce((sum, entry) => sum + entry.length, 0);
  const end = record([4, 0x06054b50], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, length], [4, offset], [2, 0]);
  return new Blob([...parts, ...entries, end], { type: 'application/zip' });
}

/** Numbers one after the other, each as wide as is said, its lowest byte first. */
function record(/** @type {(readonly [number, number])[]} */ ...fields) {
  return Uint8Array.from(fields.flatMap(([width, value]) => Array.from({ length: width }, (_, n) => value >>> (8 * n))));
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit += 1) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** CRC-32. */
async function checksum(/** @type {Blob} */ blob) {
  const reader = blob.stream().getReader();
  let sum = -1;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return ~sum >>> 0;
    for (const byte of value) sum = TABLE[(sum ^ byte) & 255] ^ (sum >>> 8);
  }
}
