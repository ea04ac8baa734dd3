/** How the views look: the front end's own colours where it has them, readable ones on light and dark where it has not. */

const ID = 'aml-style';

/** Put the style into the page, once. */
export function addStyle(): void {
  if (document.getElementById(ID) === null) {
    const style = document.createElement('style');
    style.id = ID;
    style.textContent = STYLE;
    document.head.append(style);
  }
}

const STYLE = `
.aml-run, .aml-manager {
  --aml-ink: var(--jp-ui-font-color1, var(--vscode-foreground, CanvasText));
  --aml-faint: color-mix(in srgb, var(--jp-ui-font-color2, var(--vscode-descriptionForeground, GrayText)) 70%, var(--aml-ink));
  --aml-line: var(--jp-border-color2, var(--vscode-panel-border, #9e9e9e66));
  --aml-back: var(--jp-layout-color1, var(--vscode-editor-background, Canvas));
  --aml-back2: var(--jp-layout-color2, var(--vscode-sideBar-background, #8080801a));
  --aml-good: color-mix(in srgb, var(--jp-success-color1, #2e7d32) 75%, var(--aml-ink));
  --aml-bad: color-mix(in srgb, var(--jp-error-color1, #c62828) 65%, var(--aml-ink));
  --aml-busy: color-mix(in srgb, var(--jp-brand-color1, #1976d2) 75%, var(--aml-ink));
  --aml-wait: color-mix(in srgb, var(--jp-warn-color1, #b36b00) 60%, var(--aml-ink));
  --aml-mono: var(--jp-code-font-family, var(--vscode-editor-font-family, monospace));
  color: var(--aml-ink);
  font: 13px/1.45 var(--jp-ui-font-family, system-ui, sans-serif);
}
.aml-run { border-left: 4px solid var(--aml-faint); padding: 4px 4px 4px 12px; box-sizing: border-box; min-width: 0; }
.aml-run.aml-whole { padding: 12px 16px; height: 100%; overflow: auto; border-left-width: 0; background: var(--aml-back); }
.aml-edge-good { border-left-color: var(--aml-good); } .aml-edge-bad { border-left-color: var(--aml-bad); }
.aml-edge-busy { border-left-color: var(--aml-busy); } .aml-edge-wait { border-left-color: var(--aml-wait); }
.aml-good { color: var(--aml-good); } .aml-bad { color: var(--aml-bad); } .aml-busy { color: var(--aml-busy); }
.aml-wait { color: var(--aml-wait); } .aml-none, .aml-faint { color: var(--aml-faint); }
.aml-head { display: flex; flex-wrap: wrap; gap: 4px 10px; align-items: baseline; }
.aml-title { font-size: 14px; overflow-wrap: anywhere; }
.aml-state { font-weight: 600; }
.aml-buttons { margin-left: auto; display: flex; gap: 4px; flex-wrap: wrap; }
.aml-button, .aml-select, .aml-input {
  font: inherit; font-size: 12px; color: inherit; background: var(--aml-back2); border: 1px solid var(--aml-line);
  border-radius: 3px; padding: 1px 8px; min-height: 22px; box-sizing: border-box; max-width: 100%;
}
.aml-button { cursor: pointer; } .aml-button:hover:not(:disabled) { border-color: var(--aml-busy); }
.aml-button:disabled, .aml-button[aria-disabled] { opacity: 0.5; cursor: default; }
.aml-button.aml-sure { background: var(--aml-bad); color: var(--jp-layout-color0, #fff); }
.aml-button.aml-main { background: var(--aml-busy); color: var(--jp-layout-color0, #fff); border-color: transparent; }
.aml-link { background: none; border: 0; padding: 0 4px; min-height: 0; font: inherit; font-size: 12px; cursor: pointer;
  color: var(--jp-content-link-color, var(--vscode-textLink-foreground, #1976d2)); }
.aml-run :focus-visible, .aml-manager :focus-visible { outline: 2px solid var(--aml-busy); outline-offset: 1px; }
.aml-progress { width: 240px; height: 8px; accent-color: var(--aml-busy); }
.aml-problem { color: var(--aml-bad); white-space: pre-wrap; } .aml-problem:empty, .aml-link-state:empty { display: none; }
.aml-error:not(:empty) { border: 1px solid var(--aml-bad); border-radius: 3px; padding: 4px 8px; margin: 6px 0; }
.aml-message { white-space: pre-wrap; color: var(--aml-bad); overflow-wrap: anywhere; }
.aml-tabs { display: flex; gap: 2px; border-bottom: 1px solid var(--aml-line); margin: 6px 0; flex-wrap: wrap; }
.aml-tab { font: inherit; color: var(--aml-faint); background: none; border: 0; border-bottom: 2px solid transparent;
  padding: 2px 10px; cursor: pointer; }
.aml-tab[aria-selected=true] { color: var(--aml-ink); border-bottom-color: var(--aml-busy); }
.aml-bar { display: flex; flex-wrap: wrap; gap: 4px 8px; align-items: center; margin: 4px 0; }
.aml-tick { display: inline-flex; gap: 4px; align-items: center; font-size: 12px; } .aml-tick input { margin: 0; }
.aml-charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 8px 16px; }
.aml-charts-small { grid-template-columns: repeat(auto-fill, minmax(230px, 1fr)); max-height: 300px; overflow: auto; }
.aml-chart-box { min-width: 0; } .aml-chart-box.aml-wide { grid-column: 1 / -1; }
.aml-caption { font-size: 12px; overflow: hidden; text-overflow: ellipsis; }
.aml-chart { width: 100%; min-width: 0; overflow: hidden; }
.aml-others { display: flex; flex-wrap: wrap; gap: 8px 24px; margin: 4px 0; } .aml-others:empty { display: none; } .aml-part { min-width: 0; max-width: 100%; }
.aml-facts { border-collapse: collapse; font-size: 12px; margin: 4px 0; color: inherit; }
.aml-facts th { font-weight: normal; color: var(--aml-faint); text-align: left; vertical-align: top; padding: 1px 14px 1px 0; white-space: nowrap; }
.aml-facts td { padding: 1px 14px 1px 0; vertical-align: top; overflow-wrap: anywhere; text-align: left; }
.aml-matrix { border-collapse: collapse; font-size: 12px; color: inherit; }
.aml-matrix td, .aml-matrix th { border: 1px solid var(--aml-line); padding: 3px 8px; text-align: right; }
.aml-image { max-width: min(100%, 480px); max-height: 360px; background: #fff; } .aml-figure { margin: 0; }
.aml-frame { width: 100%; border: 0; display: block; } .aml-log-small:empty { display: none; }
.aml-bins { width: 320px; } .aml-bin-row { display: flex; align-items: flex-end; height: 140px; gap: 1px; border-bottom: 1px solid var(--aml-line); }
.aml-bin { flex: 1; background: #2f7fd6; min-height: 1px; } .aml-ends { display: flex; justify-content: space-between; font-size: 11px; }
.aml-log { font: 12px/1.4 var(--aml-mono); background: color-mix(in srgb, var(--aml-back2) 50%, var(--aml-back)); padding: 4px 8px; overflow: auto; height: 320px;
  white-space: pre-wrap; overflow-wrap: anywhere; overflow-anchor: none; box-sizing: border-box; }
.aml-log-small { height: auto; max-height: 150px; } .aml-output { height: auto; max-height: 320px; }
.aml-log.aml-nowrap { white-space: pre; overflow-wrap: normal; }
.aml-whole .aml-log:not(.aml-log-small, .aml-output) { height: max(240px, calc(100vh - 330px)); }
.aml-line { min-height: 1.4em; content-visibility: auto; contain-intrinsic-height: auto 1.4em; }
.aml-matches { max-height: 160px; overflow: auto; }
.aml-match { display: block; color: inherit; width: 100%; text-align: left; font: 12px var(--aml-mono); background: none; border: 0; white-space: pre; overflow: hidden; text-overflow: ellipsis; }
.aml-ansi-0, .aml-ansi-7 { color: var(--aml-faint); } .aml-ansi-1 { color: var(--aml-bad); } .aml-ansi-2 { color: var(--aml-good); }
.aml-ansi-3 { color: var(--aml-wait); } .aml-ansi-4 { color: var(--aml-busy); } .aml-ansi-5 { color: color-mix(in srgb, #a855b4 60%, var(--aml-ink)); }
.aml-ansi-6 { color: color-mix(in srgb, #17899a 60%, var(--aml-ink)); } .aml-ansi-7 { color: var(--aml-faint); } .aml-ansi-bold { font-weight: 600; } .aml-ansi-underline { text-decoration: underline; }
.aml-outputs { display: flex; gap: 16px; flex-wrap: wrap; } .aml-files { min-width: 240px; flex: 1 1 280px; max-height: 420px; overflow: auto; }
.aml-preview { flex: 2 1 380px; min-width: 0; } .aml-preview:empty { display: none; }
.aml-file { display: flex; gap: 10px; align-items: baseline; padding-left: 16px; font-size: 12px; }
.aml-name { overflow-wrap: anywhere; color: inherit; } a.aml-name { color: var(--jp-content-link-color, var(--vscode-textLink-foreground, #1976d2)); }
.aml-text { font: 12px/1.4 var(--aml-mono); background: var(--aml-back2); color: inherit; padding: 6px 8px; margin: 0; max-height: 380px; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
.aml-scroll { max-height: 260px; overflow: auto; margin-top: 4px; }
.aml-notebook { max-height: 480px; overflow: auto; } .aml-source { font: 12px/1.4 var(--aml-mono); margin: 6px 0 0; padding: 4px 8px; background: var(--aml-back2); white-space: pre-wrap; }
.aml-markdown { white-space: pre-wrap; margin: 6px 0; }
.aml-section h4 { margin: 8px 0 2px; font-size: 12px; } .aml-section summary { cursor: pointer; margin: 4px 0; }
.aml-table-scroll { overflow: auto; border: 1px solid var(--aml-line); position: relative; }
.aml-table-top { position: sticky; top: 0; z-index: 1; } .aml-table-head, .aml-row { display: grid; grid-template-columns: var(--aml-columns); min-width: var(--aml-total); }
.aml-table-head { background: var(--aml-back2); background-color: color-mix(in srgb, var(--aml-back2) 100%, var(--aml-back)); }
.aml-sort { font: inherit; line-height: 22px; font-size: 12px; font-weight: 600; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; text-align: inherit; width: 100%; overflow: hidden; text-overflow: ellipsis; }
.aml-row.aml-group { display: block; font-weight: 600; background: var(--aml-back2); cursor: pointer; } .aml-group .aml-cell { line-height: 25px; }
.aml-table-body { position: relative; min-width: var(--aml-total); }
.aml-row { position: absolute; left: 0; right: 0; height: 26px; align-items: center; border-bottom: 1px solid color-mix(in srgb, var(--aml-line) 50%, transparent); box-sizing: border-box; cursor: default; }
.aml-row:hover { background: var(--aml-back2); } .aml-table-scroll:focus .aml-cursor { box-shadow: inset 2px 0 var(--aml-busy); background: var(--aml-back2); }
.aml-cell { padding: 0 8px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: 12px; } .aml-table-head .aml-right, .aml-right { text-align: right; }
.aml-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); } .aml-scroll-x { overflow-x: auto; } .aml-parallel { display: block; font-size: 11px; fill: none; max-width: none; } .aml-parallel text { fill: currentColor; } .aml-axis-name { font-weight: 600; }
.aml-grip { fill: transparent; cursor: crosshair; touch-action: none; } .aml-brush { fill: var(--aml-busy); opacity: 0.35; pointer-events: none; } .aml-axis:focus { outline: none; } .aml-axis:focus-visible .aml-grip { stroke: var(--aml-busy); stroke-width: 2; }
.aml-table-note:not(:empty) { padding: 4px 0; font-size: 12px; }
.aml-states { margin: 2px 0 4px; font-size: 12px; } .aml-state-bar { display: flex; height: 8px; border-radius: 4px; overflow: hidden; max-width: 480px; }
.aml-fill-good { background: var(--aml-good); } .aml-fill-bad { background: var(--aml-bad); } .aml-fill-busy { background: var(--aml-busy); }
.aml-fill-wait { background: var(--aml-wait); } .aml-fill-none { background: var(--aml-faint); }
.uplot, .uplot *, .uplot *::before, .uplot *::after { box-sizing: border-box; }
.uplot { width: min-content; line-height: 1.5; } .u-wrap { position: relative; user-select: none; }
.u-over, .u-under { position: absolute; } .u-under { overflow: hidden; } .uplot canvas { display: block; position: relative; width: 100%; height: 100%; }
.u-axis { position: absolute; } .u-select { background: #80808026; position: absolute; pointer-events: none; }
.u-cursor-x, .u-cursor-y { position: absolute; left: 0; top: 0; pointer-events: none; will-change: transform; }
.u-hz .u-cursor-x, .u-vt .u-cursor-y { height: 100%; border-right: 1px dashed #808080; } .u-hz .u-cursor-y, .u-vt .u-cursor-x { width: 100%; border-bottom: 1px dashed #808080; }
.u-cursor-pt { position: absolute; top: 0; left: 0; border-radius: 50%; border: 0 solid; pointer-events: none; will-change: transform; background-clip: padding-box !important; }
.u-axis.u-off, .u-select.u-off, .u-cursor-x.u-off, .u-cursor-y.u-off, .u-cursor-pt.u-off { display: none; }
.u-legend { font-size: 11px; margin: 2px auto; text-align: center; } .u-inline { display: block; } .u-inline * { display: inline-block; } .u-inline tr { margin-right: 14px; }
.u-legend th { font-weight: normal; cursor: pointer; } .u-legend th > * { vertical-align: middle; display: inline-block; } .u-legend .u-marker { width: 10px; height: 10px; margin-right: 4px; background-clip: padding-box !important; }
.u-inline:not(.u-live) .u-value { display: none; } .u-series > * { padding: 2px; } .u-series th { cursor: pointer; } .u-legend .u-off > * { opacity: 0.3; } .u-legend .aml-edge { display: none; }
@media (prefers-reduced-motion: reduce) { .aml-run *, .aml-manager * { transition: none !important; scroll-behavior: auto !important; } }
@media (max-width: 640px) { .aml-buttons { margin-left: 0; } }
`;
