/** Show a log of any size: a few pages of it are in the page, the others are read when one scrolls to them. */

import { LogAnswer, MatchesAnswer } from './api';
import { lineNodes, PLAIN, Style } from './ansi';
import { button, fill, h, offer, say, select, tick } from './dom';
import { sizeText } from './format';
import { pathOf } from './source';
import { RunStore } from './store';
import { t } from './text';

const PAGE = 64 * 1024;
const PAGES = 8;
const END = 2 ** 52;
const FOLLOW_PAUSE = 700;
const STANDARD = '';

interface Page {
  offset: number;
  end: number;
  element: HTMLElement;
  style: Style;
  /** The last line, when it had no end yet: its element and the style in which it began. */
  open: { text: string; style: Style; element: HTMLElement } | null;
}

export class LogView {
  readonly element: HTMLElement;
  private readonly text: HTMLElement;
  private readonly place: HTMLElement;
  private readonly found: HTMLElement;
  private readonly files = select(t('which log'), [], STANDARD, (value) => this.choose(value));
  private pages: Page[] = [];
  private file = STANDARD;
  private attempt: number | null = null;
  private size = 0;
  private isFollowing = true;
  private isBusy = false;
  private isComplete = false;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private isClosed = false;
  private turn = 0;
  private known = '';

  constructor(
    private readonly store: RunStore,
    private readonly isSmall = false,
  ) {
    this.text = h('div', {
      class: `aml-log${isSmall ? ' aml-log-small' : ''}`,
      tabindex: '0',
      role: 'log',
      'aria-label': t('log'),
      'aria-live': 'off',
    });
    this.place = h('span', { class: 'aml-faint' });
    this.found = h('div', { class: 'aml-found' });
    this.text.addEventListener('scroll', () => this.onScroll());
    this.element = h('div', { class: 'aml-logs' }, !isSmall && this.bar(), this.found, this.text);
    store.on('files', () => this.listFiles());
    store.on('run', () => this.onRun());
    this.listFiles();
    this.start();
  }

  close(): void {
    this.isClosed = true;
    this.stopTimer();
  }

  private bar(): HTMLElement {
    const search = h('input', {
      type: 'search',
      class: 'aml-input',
      placeholder: t('search the log'),
      'aria-label': t('search the log'),
    });
    search.addEventListener('keydown', (event) => {
      event.stopPropagation();
      if (event.key === 'Enter') {
        void this.search(search.value);
      }
    });
    const wrap = tick(t('wrap'), true, (on) => this.text.classList.toggle('aml-nowrap', !on));
    const top = button(t('beginning'), () => this.jump(0));
    const end = button(t('end'), () => this.start());
    return h('div', { class: 'aml-bar' }, this.files, search, wrap, top, end, this.place);
  }

  private listFiles(): void {
    const names = this.store.files.map((file) => file.name).filter(isLog);
    const attempts = this.store.run?.attempt ?? 1;
    const choices: [string, string][] = [[STANDARD, t('standard output and error')]];
    for (let attempt = attempts - 1; attempt > 0; attempt--) {
      choices.push([`#${attempt}`, t('the same, attempt {0}', attempt)]);
    }
    choices.push(...names.map((name): [string, string] => [`/${name}`, name]));
    const key = JSON.stringify(choices);
    if (key !== this.known) {
      this.known = key;
      const chosen = this.attempt === null ? this.file && `/${this.file}` : `#${this.attempt}`;
      offer(this.files, choices, chosen);
    }
  }

  private choose(value: string): void {
    this.attempt = value.startsWith('#') ? Number(value.slice(1)) : null;
    this.file = value.startsWith('/') ? value.slice(1) : STANDARD;
    this.start();
  }

  private onRun(): void {
    this.listFiles();
    if (this.isFollowing && !this.isComplete) {
      this.followSoon(0);
    }
  }

  /** Show the end of the log, and follow it. */
  private start(): void {
    this.turn++;
    this.isFollowing = true;
    this.isComplete = false;
    void this.read({ end: END, limit: this.isSmall ? 8 * 1024 : PAGE }, (answer) => {
      this.reset();
      this.append(answer);
      this.toEnd();
      this.followSoon(FOLLOW_PAUSE);
    });
  }

  /** Show the log from byte `offset` on. */
  private jump(offset: number): void {
    this.turn++;
    this.isFollowing = false;
    void this.read({ offset, limit: PAGE }, (answer) => {
      this.reset();
      this.append(answer);
      this.text.scrollTop = 0;
    });
  }

  private reset(): void {
    this.pages = [];
    fill(this.text);
  }

  private followSoon(pause: number): void {
    this.stopTimer();
    if (!this.isClosed) {
      this.timer = setTimeout(() => this.follow(), pause);
    }
  }

  private stopTimer(): void {
    if (this.timer !== null) {
      clearTimeout(this.timer);
      this.timer = null;
    }
  }

  private follow(): void {
    const last = this.pages[this.pages.length - 1];
    if (!this.isFollowing || this.isComplete) {
      return;
    }
    if (this.isBusy) {
      this.followSoon(FOLLOW_PAUSE); // what is being read would come twice
      return;
    }
    if (document.hidden || !this.element.isConnected) {
      this.followSoon(2 * FOLLOW_PAUSE);
      return;
    }
    const offset = last?.end ?? 0;
    if (this.size - offset > PAGES * PAGE) {
      this.start();
      return;
    }
    void this.read({ offset, limit: PAGE }, (answer) => {
      if (answer.text || answer.offset !== offset) {
        this.append(answer);
        this.toEnd();
      }
      this.isComplete = answer.complete;
      if (!answer.complete) {
        this.followSoon(answer.next_offset < answer.size ? 0 : FOLLOW_PAUSE);
      }
    });
  }

  private async read(
    query: { offset?: number; end?: number; limit: number },
    take: (answer: LogAnswer) => void,
  ): Promise<void> {
    const turn = this.turn;
    this.isBusy = true;
    try {
      const path = `${pathOf('runs', this.store.id)}/logs`;
      const which = { file: this.file || null, attempt: this.attempt };
      const answer = await this.store.source.get<LogAnswer>(path, { ...query, ...which });
      if (turn === this.turn && !this.isClosed) {
        this.size = answer.size;
        take(answer);
        this.sayPlace();
      }
    } catch {
      if (turn === this.turn) {
        this.followSoon(4 * FOLLOW_PAUSE);
      }
    } finally {
      this.isBusy = false;
    }
  }

  private append(answer: LogAnswer): void {
    if (answer.size === 0) {
      fill(this.text, !this.isSmall && h('span', { class: 'aml-faint' }, t('no output yet')));
      return;
    }
    if (this.pages.length === 0) {
      fill(this.text);
    }
    const last = this.pages[this.pages.length - 1];
    const room = last?.open ? 4 * PAGE : PAGE; // a line is not torn where a page ends
    const goesOn = last?.end === answer.offset && last.end - last.offset < room;
    const page = goesOn ? last : newPage(answer.offset, last?.style ?? PLAIN);
    if (!goesOn) {
      this.pages.push(page);
      this.text.append(page.element);
    }
    write(page, answer.text);
    page.end = answer.next_offset;
    while (this.pages.length > PAGES) {
      this.pages.shift()!.element.remove();
    }
  }

  private prepend(answer: LogAnswer): void {
    const page = newPage(answer.offset, PLAIN);
    write(page, answer.text);
    page.end = answer.next_offset;
    const before = this.text.scrollHeight;
    this.pages.unshift(page);
    this.text.prepend(page.element);
    this.text.scrollTop += this.text.scrollHeight - before;
    while (this.pages.length > PAGES) {
      this.pages.pop()!.element.remove();
    }
  }

  private onScroll(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.text;
    const first = this.pages[0];
    const last = this.pages[this.pages.length - 1];
    const atEnd = scrollTop + clientHeight > scrollHeight - 8;
    if (scrollTop < 80 && first && first.offset > 0 && !this.isBusy) {
      this.isFollowing = false;
      void this.read({ end: first.offset, limit: PAGE }, (answer) => this.prepend(answer));
    } else if (atEnd && last && last.end < this.size && !this.isBusy) {
      void this.read({ offset: last.end, limit: PAGE }, (answer) => this.append(answer));
    } else if (atEnd !== this.isFollowing && last && last.end >= this.size) {
      this.isFollowing = atEnd;
      if (atEnd) {
        this.followSoon(0);
      }
    }
  }

  private toEnd(): void {
    if (this.isFollowing) {
      this.text.scrollTop = this.text.scrollHeight;
    }
  }

  private sayPlace(): void {
    const first = this.pages[0];
    const last = this.pages[this.pages.length - 1];
    if (first && last) {
      const isWhole = first.offset === 0 && last.end >= this.size;
      const part = t('{0} to {1} of {2}', sizeText(first.offset), sizeText(last.end), sizeText(this.size));
      say(this.place, isWhole ? sizeText(this.size) : part);
    }
  }

  private async search(text: string, offset = 0): Promise<void> {
    if (!text) {
      fill(this.found);
      return;
    }
    fill(this.found, h('span', { class: 'aml-faint' }, t('searching ...')));
    const path = `${pathOf('runs', this.store.id)}/logs/matches`;
    const which = { file: this.file || null, attempt: this.attempt };
    const answer = await this.store.source.get<MatchesAnswer>(path, { text, offset, ...which });
    const lines = answer.matches.map((match) =>
      button(match.line.trim() || match.line, () => this.jump(match.offset), { class: 'aml-match' }),
    );
    const said = answer.matches.length
      ? t('{0} lines', answer.matches.length)
      : answer.complete
        ? t('not found')
        : t('not in the first {0}', sizeText(answer.next_offset));
    const more = answer.complete ? null : button(t('search on'), () => this.search(text, answer.next_offset));
    const close = button('×', () => fill(this.found), { 'aria-label': t('close') });
    fill(
      this.found,
      h('div', { class: 'aml-bar' }, said, more, close),
      h('div', { class: 'aml-matches' }, ...lines),
    );
  }
}

function newPage(offset: number, style: Style): Page {
  return { offset, end: offset, element: h('div', { class: 'aml-page' }), style, open: null };
}

/** Write `text` at the end of a page; an unfinished last line is drawn anew when it goes on. */
function write(page: Page, text: string): void {
  const lines = text.split('\n');
  if (page.open) {
    lines[0] = page.open.text + lines[0];
    page.style = page.open.style;
    page.open.element.remove();
    page.open = null;
  }
  const rest = lines.pop()!;
  for (const line of lines) {
    const [nodes, style] = lineNodes(line, page.style);
    page.style = style;
    page.element.append(h('div', { class: 'aml-line' }, ...nodes));
  }
  if (rest) {
    const [nodes] = lineNodes(rest, page.style);
    const back = rest.lastIndexOf('\r', rest.length - 2); // of a progress bar the last state is enough
    page.open = {
      text: back > 0 ? rest.slice(back) : rest,
      style: page.style,
      element: h('div', { class: 'aml-line' }, ...nodes),
    };
    page.element.append(page.open.element);
  }
}

/** Tell whether a file of a run is one of its logs. */
export function isLog(name: string): boolean {
  return /^(logs|user_logs|azureml-logs|system_logs)\//.test(name) || /\.log$/.test(name);
}
