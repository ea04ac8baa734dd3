/** What the panel needs beside the run view's own style. */

const ID = 'aml-panel-style';

export function addPanelStyle(): void {
  if (document.getElementById(ID) === null) {
    const style = document.createElement('style');
    style.id = ID;
    style.textContent = STYLE;
    document.head.append(style);
  }
}

const STYLE = `
.aml-manager { padding: 6px 8px; height: 100%; box-sizing: border-box; overflow: auto; background: var(--aml-back); }
.aml-wide-manager { padding: 12px 16px; }
.aml-manager > .aml-bar > span:first-child { flex: 1; min-width: 0; }
.aml-beside { height: 100%; overflow: auto; } #jp-right-stack:has(.aml-beside:not(.lm-mod-hidden)) { min-width: min(640px, 50vw); }
.aml-detail { margin: 8px 0; } .aml-detail:empty { display: none; }
.aml-compare { overflow-x: auto; margin-bottom: 12px; } .aml-compared td, .aml-compared th { border-bottom: 1px solid var(--aml-line); max-width: 320px; }
.aml-compared thead th { color: var(--aml-ink); font-weight: 600; white-space: normal; overflow-wrap: anywhere; } .aml-differs { font-weight: 600; }
.aml-form { display: grid; grid-template-columns: minmax(110px, max-content) minmax(0, 420px); gap: 6px 12px; align-items: start; margin: 8px 0; font-size: 12px; }
.aml-manager:not(.aml-wide-manager) > .aml-manager-body .aml-form { grid-template-columns: minmax(0, 1fr); gap: 2px 0; }
.aml-form > label { padding-top: 3px; color: var(--aml-faint); } .aml-form .aml-input, .aml-form .aml-select { width: 100%; }
.aml-form .aml-hint { color: var(--aml-faint); } .aml-form .aml-wrong { color: var(--aml-bad); } .aml-form :disabled { opacity: 0.6; cursor: not-allowed; }
.aml-form input[type=checkbox] { width: auto; margin: 5px 0; justify-self: start; }
.aml-form-buttons { grid-column: 1 / -1; display: flex; gap: 8px; }
.aml-empty { padding: 24px 8px; text-align: center; } .aml-empty:empty { display: none; } .aml-empty p { color: var(--aml-faint); max-width: 46em; margin: 0 auto 12px; }
.aml-target { border: 1px solid var(--aml-line); border-radius: 4px; padding: 8px 10px; margin: 8px 0; }
.aml-target-head { display: flex; flex-wrap: wrap; gap: 4px 10px; align-items: baseline; } .aml-target-name { font-weight: 600; }
.aml-label { border: 1px solid var(--aml-line); border-radius: 8px; padding: 0 6px; font-size: 11px; color: var(--aml-faint); }
.aml-slots { display: flex; gap: 2px; margin: 4px 0; } .aml-slot { width: 12px; height: 10px; border: 1px solid var(--aml-line); } .aml-slot-taken { background: var(--aml-busy); }
`;
