import { describe, expect, it } from 'vitest';

import { argumentsOf, parametersOf, valueOf } from '../src/lab/parameters';

describe('parameters of a notebook', () => {
  it('are the assignments of its tagged cell', () => {
    const notebook = {
      cells: [
        { cell_type: 'code', source: 'x = 1' },
        {
          cell_type: 'code',
          metadata: { tags: ['parameters'] },
          source: ['alpha = 0.1  # rate\n', "name: str = 'a # b'\n", 'if alpha == 1: pass\n'],
        },
      ],
    };
    expect(parametersOf(notebook)).toEqual([
      { name: 'alpha', value: '0.1' },
      { name: 'name', value: "'a # b'" },
    ]);
    expect(parametersOf(null)).toEqual([]);
  });

  it('are sent as values where they are written as such', () => {
    expect(['0.5', 'True', 'None', "'a'", '[1, 2]', 'word'].map(valueOf)).toEqual([
      0.5,
      true,
      null,
      'a',
      [1, 2],
      'word',
    ]);
  });
});

describe('arguments of a script', () => {
  it('are taken apart as a shell does', () => {
    expect(argumentsOf(`--lr 0.1 --name 'two words' "a \\"b\\" c" x\\ y --k="v w" ''`)).toEqual([
      '--lr',
      '0.1',
      '--name',
      'two words',
      'a "b" c',
      'x y',
      '--k=v w',
      '',
    ]);
    expect(argumentsOf('  ')).toEqual([]);
  });
});
