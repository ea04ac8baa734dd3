/** Read the parameters that a notebook declares, as papermill does: from the cell that is tagged so. */

/** A parameter that a notebook declares, with its value as it is written. */
export interface Parameter {
  name: string;
  value: string;
}

interface Cell {
  cell_type?: string;
  source?: string | string[];
  metadata?: { tags?: string[] };
}

/** Return the parameters in the cell that is tagged `parameters`: its assignments of one line. */
export function parametersOf(notebook: unknown): Parameter[] {
  const cells = (notebook as { cells?: Cell[] } | null)?.cells ?? [];
  const cell = cells.find((each) => each.metadata?.tags?.includes('parameters'));
  const text = Array.isArray(cell?.source) ? cell.source.join('') : (cell?.source ?? '');
  return text.split('\n').flatMap((line) => {
    const found = /^([A-Za-z_]\w*)\s*(?::[^=]+)?=(?!=)\s*(.+?)\s*(?:#[^'"]*)?$/.exec(line);
    return found ? [{ name: found[1], value: found[2] }] : [];
  });
}

/** Return what a person wrote as a value: JSON or a plain Python literal, else text. */
export function valueOf(text: string): unknown {
  const words: Record<string, unknown> = { True: true, False: false, None: null };
  if (text in words) {
    return words[text];
  }
  const quoted = /^'([^'\\]*)'$/.exec(text);
  if (quoted) {
    return quoted[1];
  }
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Return the arguments in a line, as a shell takes it apart: at spaces that are not in quotes. */
export function argumentsOf(line: string): string[] {
  const words = line.match(/(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+/g) ?? [];
  return words.map((word) =>
    word.replace(/"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/g, (_, twice?: string, once?: string, bare?: string) =>
      twice !== undefined ? twice.replace(/\\(["\\])/g, '$1') : (once ?? bare ?? ''),
    ),
  );
}
