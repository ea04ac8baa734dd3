/** The plugins of JupyterLab and Notebook 7. */

import { ILabShell, ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { DocumentWidget } from '@jupyterlab/docregistry';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { WorkspacesAnswer } from '../view/api';
import { ask, jupyterPage, Page, RestSource } from '../view/rest';
import { setTranslator, t } from '../view/text';
import { notifyOfEnds } from './notify';
import { comparison, ICON, sidebar, widePanel } from './panel';
import { Places } from './places';
import { addRunRenderer, OpenRun } from './renderer';
import { submitFile } from './submit';
import { showRun } from './tabs';

const PANEL = 'aml-jupyter:panel';
const WIDE = 'aml-manager';
const CATEGORY = 'aml';

function takeTranslator(translator: ITranslator | null): void {
  if (translator !== null) {
    const bundle = translator.load('aml_jupyter');
    setTranslator((text) => bundle.gettext(text));
  }
}

let places: Places | null = null;

/** Return where the front end shows what has a place of its own. */
function placesOf(app: JupyterFrontEnd, shell: ILabShell | null): Places | null {
  places ??= Places.of(app, shell !== null);
  return places;
}

/** Return how a run is shown in a place of its own, if there is any. */
function openerOf(app: JupyterFrontEnd, page: Page, shell: ILabShell | null): OpenRun | undefined {
  const there = placesOf(app, shell);
  return there === null ? undefined : (workspace, id) => showRun(there, page, workspace, id);
}

const renderer: JupyterFrontEndPlugin<void> = {
  id: 'aml-jupyter:renderer',
  description: 'Shows the outputs of submitted runs live.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [ITranslator, ILabShell],
  activate: (
    app: JupyterFrontEnd,
    registry: IRenderMimeRegistry,
    translator: ITranslator | null,
    shell: ILabShell | null,
  ) => {
    const page = jupyterPage();
    if (page !== null) {
      takeTranslator(translator);
      addRunRenderer(registry, page, openerOf(app, page, shell));
    }
  },
};

const panel: JupyterFrontEndPlugin<void> = {
  id: PANEL,
  description: 'Shows runs, compute, environments and models, and submits notebooks and files.',
  autoStart: true,
  optional: [ITranslator, ILabShell, ILayoutRestorer, ICommandPalette, IFileBrowserFactory, ISettingRegistry],
  activate: async (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    shell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    files: IFileBrowserFactory | null,
    settings: ISettingRegistry | null,
  ) => {
    const page = jupyterPage();
    if (page === null) {
      return;
    }
    takeTranslator(translator);
    const there = placesOf(app, shell);
    const openRun = openerOf(app, page, shell);
    if (there !== null && openRun !== undefined) {
      const compare = (workspace: string, ids: string[]): void =>
        there.show(`aml-compare-${workspace}-${ids.join('-')}`, () => comparison(page, workspace, ids));
      const host = { openRun, compare };
      const openWide = (): void => there.show(WIDE, () => widePanel(page, host));
      if (shell !== null) {
        const side = sidebar(page, { ...host, openWide });
        app.shell.add(side, 'left', { rank: 600 });
        restorer?.add(side, 'aml-panel');
      } else {
        void app.restored.then(() => there.offer(WIDE, () => widePanel(page, host)));
      }
      app.commands.addCommand('aml:open-panel', {
        label: t('Runs and compute'),
        icon: ICON,
        execute: openWide,
      });
      palette?.addItem({ command: 'aml:open-panel', category: CATEGORY });
    }
    addCommands(app, page, openRun, palette, files);
    const options = await settings?.load(PANEL).catch(() => null);
    const isWanted = (): boolean => options?.get('notifyWhenARunEnds').composite !== false;
    const workspace = await defaultWorkspace(page).catch(() => null);
    if (workspace !== null) {
      notifyOfEnds(RestSource.of(page, workspace), isWanted, openRun && ((id) => openRun(workspace, id)));
    }
  },
};

async function defaultWorkspace(page: Page): Promise<string> {
  return (await ask<WorkspacesAnswer>(page, 'GET', 'workspaces')).default;
}

function addCommands(
  app: JupyterFrontEnd,
  page: Page,
  openRun: OpenRun | undefined,
  palette: ICommandPalette | null,
  files: IFileBrowserFactory | null,
): void {
  const submit = async (path: string, notebook: unknown): Promise<void> => {
    const workspace = await defaultWorkspace(page);
    const id = await submitFile(RestSource.of(page, workspace), path, notebook);
    if (id !== null) {
      openRun?.(workspace, id);
    }
  };
  app.commands.addCommand('aml:submit', {
    label: t('Submit as a run ...'),
    caption: t('Save this file, and run it on a compute target'),
    icon: ICON,
    isEnabled: () => isRunnable(openPath(app.shell.currentWidget)),
    execute: async () => {
      const widget = app.shell.currentWidget;
      if (widget instanceof DocumentWidget && isRunnable(widget.context.path)) {
        await widget.context.save();
        const { path, model } = widget.context;
        await submit(localPath(path), path.endsWith('.ipynb') ? model.toJSON() : null);
      }
    },
  });
  if (files !== null) {
    const selected = (): string[] =>
      [...(files.tracker.currentWidget?.selectedItems() ?? [])].map((item) => item.path).filter(isRunnable);
    app.commands.addCommand('aml:submit-selected', {
      label: t('Submit as a run ...'),
      icon: ICON,
      isVisible: () => selected().length === 1,
      execute: async () => {
        const [path] = selected();
        if (path !== undefined) {
          const isNotebook = path.endsWith('.ipynb');
          const file = await app.serviceManager.contents.get(path, { content: isNotebook });
          await submit(localPath(path), file.content);
        }
      },
    });
  }
  palette?.addItem({ command: 'aml:submit', category: CATEGORY });
}

function openPath(widget: Widget | null): string {
  return widget instanceof DocumentWidget ? widget.context.path : '';
}

/** Leave out the name of a drive, such as jupyter-collaboration's. */
function localPath(path: string): string {
  return path.replace(/^[A-Za-z]+:/, '');
}

function isRunnable(path: string): boolean {
  return /\.(ipynb|py|sh|R)$/.test(path);
}

export default [renderer, panel];
