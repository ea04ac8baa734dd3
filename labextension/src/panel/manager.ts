/** The panel: runs, compute, environments and models of a workspace. */

import { WorkspaceEntry, WorkspacesAnswer } from '../view/api';
import { fill, h, say, select } from '../view/dom';
import { ask, Page, RestSource } from '../view/rest';
import { addStyle } from '../view/style';
import { Tabs } from '../view/tabs';
import { t } from '../view/text';
import { ComputePanel } from './compute';
import { EnvironmentsPanel, ModelsPanel } from './registry';
import { RunsPanel } from './runs';
import { addPanelStyle } from './style';

/** What the front end does for the panel. */
export interface PanelHost {
  openRun: (workspace: string, id: string) => void;
  compare: (workspace: string, ids: string[]) => void;
  /** Shows the panel in a wider place; left out where it is there already. */
  openWide?: () => void;
}

interface Part {
  element: HTMLElement;
  close: () => void;
}

const TABS = ['runs', 'compute', 'environments', 'models'] as const;
type Tab = (typeof TABS)[number];

export class Manager {
  readonly element: HTMLElement;
  private readonly choice = h('span');
  private readonly problem = h('div', { class: 'aml-problem', role: 'alert' });
  private readonly body = h('div', { class: 'aml-manager-body' });
  private readonly tabs = new Tabs<Tab>(t('parts of the workspace'), this.body, (tab) => this.choose(tab));
  private workspace = '';
  private tab: Tab = 'runs';
  private part: Part | null = null;

  constructor(
    private readonly page: Page,
    private readonly host: PanelHost,
  ) {
    addStyle();
    addPanelStyle();
    const wide = host.openWide
      ? h('button', { type: 'button', class: 'aml-button', title: t('show in a tab of its own') }, '⤢')
      : null;
    wide?.addEventListener('click', () => host.openWide!());
    wide?.setAttribute('aria-label', t('show in a tab of its own'));
    this.element = h(
      'div',
      { class: `aml-manager${host.openWide ? '' : ' aml-wide-manager'}` },
      h('div', { class: 'aml-bar' }, this.choice, wide),
      this.problem,
      this.tabs.element,
      this.body,
    );
    void this.start();
  }

  close(): void {
    this.part?.close();
  }

  private async start(): Promise<void> {
    try {
      const answer = await ask<WorkspacesAnswer>(this.page, 'GET', 'workspaces');
      this.workspace = answer.default;
      this.drawChoice(answer.workspaces.filter((entry) => entry.exists));
      this.show();
    } catch (error) {
      say(this.problem, (error as Error).message);
      setTimeout(() => void this.start(), 5000);
      return;
    }
    say(this.problem, '');
  }

  private drawChoice(workspaces: WorkspaceEntry[]): void {
    const choices = workspaces.map((entry) => [entry.id, entry.name] as const);
    fill(
      this.choice,
      select(t('workspace'), choices, this.workspace, (id) => {
        this.workspace = id;
        this.show();
      }),
    );
  }

  private show(): void {
    this.part?.close();
    const source = RestSource.of(this.page, this.workspace);
    const makers: Record<Tab, () => Part> = {
      runs: () =>
        new RunsPanel(source, {
          open: (id) => this.host.openRun(this.workspace, id),
          compare: (ids) => this.host.compare(this.workspace, ids),
        }),
      compute: () => new ComputePanel(source),
      environments: () => new EnvironmentsPanel(source),
      models: () => new ModelsPanel(source, (id) => this.host.openRun(this.workspace, id)),
    };
    this.part = makers[this.tab]();
    fill(this.body, this.part.element);
    this.drawTabs();
  }

  private drawTabs(): void {
    const labels: Record<Tab, string> = {
      runs: t('runs'),
      compute: t('compute'),
      environments: t('environments'),
      models: t('models'),
    };
    this.tabs.show(
      TABS.map((tab) => [tab, labels[tab]]),
      this.tab,
    );
  }

  private choose(tab: Tab): void {
    this.tab = tab;
    this.show();
  }
}
