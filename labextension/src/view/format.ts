/** Write times, durations, sizes and numbers as the text views do (`aml_jupyter/views/formats.py`). */

import { t } from './text';

/** Return a span of time: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`. */
export function durationText(seconds: number): string {
  const span = Math.max(0, seconds);
  if (span < 9.95) {
    return `${span.toFixed(1)} s`;
  }
  const whole = Math.round(span);
  if (whole < 60) {
    return `${whole} s`;
  }
  const two = (value: number): string => String(value).padStart(2, '0');
  if (whole < 3600) {
    return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  }
  if (whole < 86400) {
    return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
  }
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/** Return a number of bytes in powers of 1,000: `118 MB`. */
export function sizeText(count: number): string {
  if (count < 1000) {
    return `${count} B`;
  }
  let value = count;
  let unit = '';
  for (unit of ['kB', 'MB', 'GB', 'TB']) {
    value /= 1000;
    if (value < 999.5) {
      break;
    }
  }
  return `${value < 9.95 ? value.toFixed(1) : value.toFixed(0)} ${unit}`;
}

/** Return a metric's value in few characters; `digits` digits of a fraction are kept. */
export function numberText(value: unknown, digits = 6): string {
  if (value === null || value === undefined) {
    return '';
  }
  if (typeof value === 'object') {
    return JSON.stringify(value);
  }
  if (typeof value !== 'number') {
    return String(value);
  }
  if (Number.isInteger(value) && Math.abs(value) < 1e12) {
    return String(value);
  }
  return Number.isFinite(value) ? String(Number(value.toPrecision(digits))) : String(value);
}

/** Return Unix seconds of an ISO time; null for none. */
export function seconds(iso: string | null): number | null {
  return iso === null ? null : Date.parse(iso) / 1000;
}

/** Return the local time of day; with the date when that is not today's. */
export function clockText(moment: number | null, withSeconds = false): string {
  if (moment === null) {
    return '';
  }
  const date = new Date(moment * 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}${withSeconds ? `:${two(date.getSeconds())}` : ''}`;
  const isToday = date.toDateString() === new Date().toDateString();
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return isToday ? clock : `${day} ${clock}`;
}

/** States that nothing leaves. */
export const FINAL: ReadonlySet<string> = new Set(['Completed', 'Failed', 'Canceled']);

/** States in which a run waits for its start. */
export const WAITING: ReadonlySet<string> = new Set(['NotStarted', 'Queued', 'Paused']);

/** Return the class of a state's colour: good, bad, busy, wait or none. */
export function stateKind(state: string): string {
  const kinds: Record<string, string> = {
    Completed: 'good',
    Succeeded: 'good',
    Failed: 'bad',
    NotResponding: 'bad',
    Canceled: 'none',
    Stopped: 'none',
    NotStarted: 'wait',
    Queued: 'wait',
    Paused: 'wait',
    CancelRequested: 'wait',
  };
  return kinds[state] ?? 'busy';
}

/** Return how far a run is, `cell 7 of 12`; empty when it does not say, or has ended well. */
export function progressText(progress: Record<string, unknown> | null, status: string): string {
  if (!progress || progress.done === undefined || status === 'Completed') {
    return '';
  }
  const unit = String(progress.unit || 'step');
  const message = String(progress.message ?? '');
  if (message.startsWith(`${unit} `)) {
    return message;
  }
  const done = String(progress.done);
  const said = progress.total ? t('{0} {1} of {2}', unit, done, String(progress.total)) : `${unit} ${done}`;
  return message ? `${said}: ${message}` : said;
}

/** Return a run's name as a person gave it, else what it is called where it has none. */
export function nameOf(run: { id: string; display_name: string }, otherwise = run.id): string {
  return run.display_name && run.display_name !== `run_${run.id}` ? run.display_name : otherwise;
}
