/** Show a run's files as a tree with sizes; text, images and notebooks can be looked at, everything downloaded. */

import { RunFile } from './api';
import { button, fill, h } from './dom';
import { sizeText } from './format';
import { picture } from './metrics';
import { notebookPreview } from './notebook';
import { RunStore } from './store';
import { t } from './text';

const PREVIEW = 64 * 1024;
const NOTEBOOK = 2_000_000;
const SHOWN = 500;
const IMAGE = /\.(png|jpe?g|gif|webp|bmp)$/i;
const BINARY = /\.(pkl|pt|pth|npy|npz|zip|gz|bz2|xz|tar|whl|h5|parquet|onnx|bin|so|exe|joblib)$/i;

export class OutputsView {
  readonly element: HTMLElement;
  private readonly list: HTMLElement;
  private readonly preview: HTMLElement;
  private known = '';

  constructor(private readonly store: RunStore) {
    this.list = h('div', { class: 'aml-files', role: 'group', 'aria-label': t('outputs') });
    this.preview = h('div', { class: 'aml-preview' });
    this.element = h('div', { class: 'aml-outputs' }, this.list, this.preview);
    store.on('files', () => this.draw());
    this.draw();
  }

  private draw(): void {
    const files = this.store.files;
    const key = files.map((file) => `${file.name} ${file.size} ${file.target}`).join('\n');
    if (key === this.known && this.list.hasChildNodes()) {
      return;
    }
    this.known = key;
    if (files.length === 0) {
      fill(this.list, h('span', { class: 'aml-faint' }, t('no files yet')));
      return;
    }
    const folders = new Map<string, RunFile[]>();
    for (const file of files.slice(0, SHOWN)) {
      const folder = file.name.includes('/') ? file.name.slice(0, file.name.lastIndexOf('/')) : '';
      folders.set(folder, [...(folders.get(folder) ?? []), file]);
    }
    const open = [...this.list.querySelectorAll('details:not([open])')].map((each) =>
      each.getAttribute('data-folder'),
    );
    const parts = [...folders].map(([folder, held]) => this.folderOf(folder, held, !open.includes(folder)));
    const more =
      files.length > SHOWN && h('div', { class: 'aml-faint' }, t('and {0} more', files.length - SHOWN));
    fill(this.list, ...parts, more);
  }

  private folderOf(folder: string, files: RunFile[], isOpen: boolean): HTMLElement {
    const size = files.reduce((sum, file) => sum + file.size, 0);
    return h(
      'details',
      { open: isOpen, 'data-folder': folder },
      h(
        'summary',
        {},
        `${folder}/ `,
        h('span', { class: 'aml-faint' }, `${files.length}, ${sizeText(size)}`),
      ),
      ...files.map((file) => this.fileOf(file)),
    );
  }

  private fileOf(file: RunFile): HTMLElement {
    const base = file.name.slice(file.name.lastIndexOf('/') + 1);
    if (file.target) {
      const where = t('stays on {0}; fetch it with', file.target);
      return h(
        'div',
        { class: 'aml-file', title: `sha256 ${file.sha256}` },
        h('span', { class: 'aml-name' }, base),
        h(
          'span',
          { class: 'aml-faint' },
          `${sizeText(file.size)}, ${where} `,
          h('code', {}, file.command ?? ''),
        ),
      );
    }
    const url = this.store.source.fileUrl(this.store.id, file.name);
    const load = this.store.source.fileUrl(this.store.id, file.name, true);
    return h(
      'div',
      { class: 'aml-file' },
      url
        ? h('a', { href: url, target: '_blank', rel: 'noopener', class: 'aml-name' }, base)
        : h('span', { class: 'aml-name' }, base),
      h('span', { class: 'aml-faint' }, sizeText(file.size)),
      isShowable(file) &&
        button(t('show'), () => this.show(file), { class: 'aml-link', 'aria-label': t('show {0}', base) }),
      load &&
        h(
          'a',
          { href: load, download: base, class: 'aml-link', 'aria-label': t('download {0}', base) },
          t('download'),
        ),
    );
  }

  private async show(file: RunFile): Promise<void> {
    const close = button('×', () => fill(this.preview), { 'aria-label': t('close') });
    const head = h('div', { class: 'aml-bar' }, h('b', {}, file.name), close);
    if (IMAGE.test(file.name)) {
      fill(this.preview, head, picture(this.store, file.name));
      return;
    }
    const isNotebook = file.name.endsWith('.ipynb');
    try {
      const answer = await this.store.read(file.name, isNotebook ? NOTEBOOK : PREVIEW);
      const isCut = answer.next_offset < answer.size;
      const shown =
        isNotebook && !isCut
          ? notebookPreview(answer.text)
          : h('pre', { class: 'aml-text', tabindex: '0' }, answer.text);
      const rest =
        isCut &&
        h(
          'span',
          { class: 'aml-faint' },
          t('the first {0} of {1}', sizeText(answer.next_offset), sizeText(answer.size)),
        );
      fill(this.preview, head, shown, rest);
    } catch (error) {
      fill(this.preview, head, h('span', { class: 'aml-problem' }, String((error as Error).message)));
    }
  }
}

function isShowable(file: RunFile): boolean {
  return !BINARY.test(file.name);
}
