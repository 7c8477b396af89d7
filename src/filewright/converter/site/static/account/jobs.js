// @ts-check
/** The account's last jobs, from wherever they were ordered; what is still kept of them can be fetched once more. */
import { h } from '../dom.js';
import { said, section } from './parts.js';
import { moment, say } from './words.js';

/** @typedef {import('./client.js').Client} Client @typedef {import('../api.js').Job} Job */

const MOST = 10;

/** @param {Client} client */
export async function jobsPart(client) {
  /** @type {Job[]} */
  const jobs = (await client.ask(`/v1/jobs?limit=${MOST}`)).data;
  if (!jobs.length) return null;
  const list = h('ul', { class: 'things' });
  const element = section('jobs.title', said('p', 'jobs.lead', { class: 'hint' }), list);

  const row = (/** @type {any} */ job) => h('li', {},
    h('div', { class: 'names' },
      h('p', {}, h('bdi', { class: 'strong' }, nameOf(job)), ' ', h('span', { class: 'tag' }, say(`job.${job.status}`))),
      h('p', { class: 'hint' }, `${job.source_format ?? '?'} → ${job.target_format} · ${moment(job.created_at)}`)),
    job.status === 'succeeded' && job.outputs.length ? fetchOf(job) : null);

  const fetchOf = (/** @type {Job} */ { id, outputs, ...job }) => h('a', {
    class: 'button small quiet', 'aria-label': say('job.get.label', { name: nameOf({ outputs, ...job }) }),
    ...(outputs.length > 1 ? { href: `/v1/jobs/${id}/outputs`, download: '' } : { href: outputs[0].url, download: outputs[0].name }),
  }, say('job.get'));

  return { element, draw: () => list.replaceChildren(...jobs.map(row)) };
}

const nameOf = (/** @type {any} */ { inputs, outputs }) => inputs[0]?.name ?? outputs[0]?.name ?? '–';
