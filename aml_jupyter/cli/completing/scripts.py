"""Own `aml completion` and what it prints: the few lines that teach a shell to ask `aml` what may stand next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aml_jupyter.cli.parser import Arguments, Nouns, add_verb

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door

__all__ = ["SCRIPTS", "add_verbs"]

BASH: Final = r"""
_aml_complete() {
    local line word=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    compopt +o filenames 2>/dev/null
    while IFS= read -r line; do
        case $line in
        $'\tfiles' | $'\tfolders')
            compopt -o filenames 2>/dev/null
            local kind=-f found
            [[ $line == $'\tfolders' ]] && kind=-d
            [[ $word == [=:] ]] && word=
            while IFS= read -r found; do COMPREPLY+=("$found"); done < <(compgen "$kind" -- "$word")
            ;;
        *) COMPREPLY+=("$line") ;;
        esac
    done < <("$1" --complete bash "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi
}
complete -F _aml_complete aml
"""

ZSH: Final = r"""
#compdef aml
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_aml() {
    local line
    local -a found
    for line in "${(@f)$("${(Q)words[1]}" --complete zsh "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
        case $line in
        $'\tfiles') _files ;;
        $'\tfolders') _files -/ ;;
        ?*) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
        esac
    done
    (( $#found )) && _describe -V aml found
}
compdef _aml aml
"""

FISH: Final = r"""
function __aml_complete
    set -l current (commandline -ct)
    set -l before (commandline -opc)
    for line in ($before[1] --complete fish $before[2..] "$current" 2>/dev/null)
        switch $line
            case \tfiles
                __fish_complete_path $current
            case \tfolders
                __fish_complete_directories $current
            case '*'
                echo $line
        end
    end
end
complete -c aml -f -k -a '(__aml_complete)'
"""

SCRIPTS: Final = {"bash": BASH, "zsh": ZSH, "fish": FISH}

EXAMPLES: Final = """eval "$(aml completion bash)"                          # in ~/.bashrc
eval "$(aml completion zsh)"                           # in ~/.zshrc
aml completion fish > ~/.config/fish/completions/aml.fish"""


def add_verbs(nouns: Nouns) -> None:
    """Add `aml completion`."""
    parser = add_verb(
        nouns,
        "completion",
        _print,
        "Print what teaches a shell to complete aml's commands, options, targets, experiments, runs, models and files.",
        EXAMPLES,
    )
    parser.add_argument("shell", choices=sorted(SCRIPTS), help="the shell")


def _print(arguments: Arguments, door: Door) -> int:
    door.write(SCRIPTS[arguments.shell].lstrip("\n"))
    return 0
