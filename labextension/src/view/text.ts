/** Own the words that people read: English as written in the code, or what a translator makes of it. */

type Translate = (text: string) => string;

let translate: Translate = (text) => text;

/** Let `next` translate every text from now on; JupyterLab's translator is set by its plugin. */
export function setTranslator(next: Translate): void {
  translate = next;
}

/** Return `text` in the user's language with `{0}`, `{1}`, ... replaced by `values`. */
export function t(text: string, ...values: (string | number)[]): string {
  return translate(text).replace(/\{(\d)\}/g, (whole, place: string) =>
    String(values[Number(place)] ?? whole),
  );
}
