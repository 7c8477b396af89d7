// @ts-check
/**
 * From the page to the command line: what a row does as one call of curl, to be copied.
 *
 * The line is for the shells of POSIX. Names of files come from strangers, so they are quoted twice: for curl, which
 * reads `;` and `,` in the name of a file, and for the shell. A control or direction character in a name, which could
 * lead a terminal or its reader astray, is written as an octal number for `printf`.
 */
import { openDialog } from './dialog.js';
import { h, text } from './dom.js';
import { t } from './i18n.js';
import { icon } from './icons.js';

const WAIT_SECONDS = 120;
const BARE = /^[\w@%+=:,./-]+$/;
const MISLEADING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/**
 * The call of curl that does what the row does.
 * @param {{name: string, target: string|null, options: Record<string, unknown>, from?: string|null, job: any}} row
 * @param {string} origin
 * @param {{key?: boolean, endings?: string[]}} [known] `key`: the service is for known callers only; `endings` of the target
 * @returns {string}
 */
export function curlFor(row, origin, { key = false, endings = [] } = {}) {
  const target = row.target ?? '';
  const parts = [
    `curl -f ${quoted(`${origin}/v1/convert`)}`,
    key && '-H "Authorization: Bearer $FILEWRIGHT_API_KEY"',
    `-H 'Prefer: wait=${WAIT_SECONDS}'`,
    `-F ${quoted(`file=@${fileForCurl(row.name)}`)}`,
    field('to', target),
    row.from && field('from', row.from),
    Object.keys(row.options).length > 0 && field('options', JSON.stringify(row.options)),
    `-o ${quoted(resultOf(row, endings[0] ?? target))}`,
  ];
  const call = parts.filter(Boolean).join(' \\\n  ');
  return key ? `# FILEWRIGHT_API_KEY: ${t('handover.key').replaceAll(/['"`$\\\n]/g, ' ')}\n${call}` : call;
}

/** A field whose value is taken as it is; in `-F`, `@`, `<` and `;` would mean something. */
const field = (/** @type {string} */ name, /** @type {string} */ value) =>
  (/^[\w.+/-]*$/.test(value) ? `-F ${name}=${value}` : `--form-string ${quoted(`${name}=${value}`)}`);

/** The name of a file as curl reads it: in quotes, with `"` and `\` escaped; `-` alone would be the standard input. */
const fileForCurl = (/** @type {string} */ name) => `"${(name === '-' ? './-' : name).replaceAll(/["\\]/g, '\\$&')}"`;

/** What to call the result. Several files come as one ZIP. */
function resultOf(/** @type {any} */ { name, job }, /** @type {string} */ ending) {
  const outputs = job?.outputs ?? [];
  if (outputs.length === 1) return outputs[0].name;
  const stem = name.replace(/^([^]+)\.[^.]*$/, '$1');
  return `${stem}.${outputs.length > 1 ? 'zip' : ending}`;
}

/** One word of a shell. */
function quoted(/** @type {string} */ word) {
  if (MISLEADING.test(word)) return `"$(printf '${format(word)}')"`;
  return BARE.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A word for `printf`, in single quotes. */
function format(/** @type {string} */ word) {
  const octal = (/** @type {string} */ letter) =>
    Array.from(new TextEncoder().encode(letter), (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
  return Array.from(word, (letter) => {
    if (MISLEADING.test(letter) || "'\\!".includes(letter)) return octal(letter); // `!`: a shell would look into its history
    return letter === '%' ? '%%' : letter;
  }).join('');
}

/**
 * Shows the call, with a button that copies it.
 * @param {{row: any, api: {limits: () => Promise<any>}, catalogue: {format: (id: string|null) => any}}} wanted
 */
export async function openHandover({ row, api, catalogue }) {
  const key = await api.limits().then(() => false, (problem) => problem.code === 'unauthenticated');
  const call = curlFor(row, location.origin, { key, endings: catalogue.format(row.target)?.extensions });
  const code = h('code', {}, call);
  const said = h('p', { role: 'status', class: 'handover-said' });
  const button = h('button', { type: 'button', class: 'button', onclick: () => copy(call, code).then((words) => text(said, words)) },
    icon('copy'), t('handover.copy'));
  return openDialog({
    title: t('handover.title', { name: row.name }),
    kind: 'handover',
    content: h('div', {},
      h('p', {}, t('handover.lead')),
      h('pre', { tabindex: 0, role: 'region', 'aria-label': t('handover.code'), dir: 'ltr' }, code),
      h('div', { class: 'handover-actions' }, button, h('a', { href: '/docs' }, t('handover.docs')), said),
      h('p', { class: 'quiet' }, t('handover.long', { n: WAIT_SECONDS }))),
  });
}

/** @returns {Promise<string>} what to say about it */
async function copy(/** @type {string} */ words, /** @type {Node} */ shown) {
  try {
    await navigator.clipboard.writeText(words);
    return t('handover.copied');
  } catch {
    // No clipboard here (the page is not served safely, or it was refused): the old way, and else by hand.
    getSelection()?.selectAllChildren(shown);
    return document.execCommand('copy') ? t('handover.copied') : t('handover.select');
  }
}
