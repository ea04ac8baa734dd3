/** Tell in the front end's own way when a run has ended. */

import { Notification } from '@jupyterlab/apputils';

import { RunAnswer } from '../view/api';
import { FINAL, nameOf } from '../view/format';
import { pathOf, Source } from '../view/source';
import { t } from '../view/text';

/** Notify about each run without a parent that ends from now on, while `isWanted` says so. */
export function notifyOfEnds(
  source: Source,
  isWanted: () => boolean,
  open?: (id: string) => void,
): () => void {
  return source.listen((news) => {
    if (news === 'reset' || !isWanted()) {
      return;
    }
    for (const event of news) {
      if (event.kind === 'run.state' && FINAL.has(String(event.data.status))) {
        void tell(source, event.subject, open);
      }
    }
  });
}

async function tell(source: Source, id: string, open?: (id: string) => void): Promise<void> {
  const answer = await source.get<RunAnswer>(pathOf('runs', id), { brief: true }).catch(() => null);
  if (answer === null || answer.run.parent !== null || answer.run.hidden) {
    return;
  }
  const run = answer.run;
  const actions = open ? [{ label: t('open'), callback: () => open(run.id) }] : [];
  const kinds = { Completed: 'success', Failed: 'error' } as const;
  const kind = kinds[run.status as keyof typeof kinds] ?? 'warning';
  Notification[kind](`${nameOf(run)}: ${run.status}`, { autoClose: 8000, actions });
}
