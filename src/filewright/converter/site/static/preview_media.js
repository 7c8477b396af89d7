// @ts-check
/**
 * Sound and film in the browser's own players, straight from the service, which answers ranges. What the browser
 * cannot play is said, and a playable copy is offered: making one can take long, so nobody gets it unasked.
 */
import { h } from './dom.js';
import { t } from './i18n.js';

/** What browsers play, the best first. */
const PLAYABLE = { audio: [['mp3', 'audio/mpeg']], video: [['mp4', 'video/mp4; codecs="avc1.42E01E, mp4a.40.2"'], ['webm', 'video/webm; codecs="vp9, opus"']] };

/**
 * @param {import('./preview_jobs.js').Bench} bench
 * @param {import('./preview.js').Item} item
 * @param {(work: () => Promise<void>) => void} attempt runs something that takes a while and may fail
 */
export function playerView(bench, { output, source, format }, attempt) {
  const kind = /** @type {'audio'|'video'} */ (format.family);
  const element = h('div', { class: `preview-player ${kind}` });

  function play(/** @type {string} */ url, /** @type {() => void} */ onRefused) {
    const player = h(kind, { src: url, controls: true, preload: 'metadata', 'aria-label': output.name });
    player.addEventListener('error', onRefused);
    bench.signal.addEventListener('abort', () => {
      player.pause();
      player.removeAttribute('src'); // ends the download
      player.load();
    });
    element.replaceChildren(player);
  }

  function offerCopy() {
    if (bench.signal.aborted) return;
    const [to] = PLAYABLE[kind].find(([id, type]) => id !== format.id && format.targets.includes(id) && document.createElement(kind).canPlayType(type)) ?? [];
    const button = to && h('button', { type: 'button', class: 'button', onclick: () => attempt(() => makeCopy(to)) }, t('preview.playable'));
    element.replaceChildren(h('p', {}, t('preview.unplayable')), button ?? '');
  }

  async function makeCopy(/** @type {string} */ to) {
    const { outputs } = await bench.convert(source, to);
    play(outputs[0].url, () => element.replaceChildren(h('p', {}, t('preview.unplayable'))));
  }

  play(output.url, offerCopy);
  return { element };
}
