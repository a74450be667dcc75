"""Shell completion scripts (bash, zsh, fish) from a parser of arguments: which words may follow, without asking Python.

The scripts hold every command, option, choice and setting as of when they were made; ids of runs are the folders that
are there when a key is pressed. So a completion takes a few milliseconds.
"""

import argparse
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SHELLS = ("bash", "zsh", "fish")
KEY, FILE = "KEY", "FILE"  # words of a usage line: settings, files
VALUES = "KEY=VALUE"  # every setting with each of its choices
RUN_WORDS = {"ID", "GROUP", "TEXT"}  # run ids
ANY, FILES = "any", "files"  # values of options


@dataclass(frozen=True)
class CompletedOption:
    """An option. ``value``: "" where it takes none, FILES, ANY, or the words that it takes, separated by spaces."""

    names: Sequence[str]
    value: str
    help: str


@dataclass(frozen=True)
class CompletedCommand:
    """A command, "" for a program without commands: its options, and the words of its usage line."""

    name: str
    help: str
    options: Sequence[CompletedOption]
    usage: Sequence[str]


def commands_of(parser: argparse.ArgumentParser) -> list[CompletedCommand]:
    """The commands that a parser shows in its help; the parser itself where it has none."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            shown = {choice.dest: choice.help or "" for choice in action._choices_actions}
            return [_command(name, help, action.choices[name]) for name, help in shown.items()]
    return [_command("", "", parser)]


def _command(name: str, help: str, parser: argparse.ArgumentParser) -> CompletedCommand:
    options = [
        CompletedOption(action.option_strings, _value(action), (action.help or "").replace("%%", "%"))
        for action in parser._actions
        if action.option_strings and action.help != argparse.SUPPRESS
    ]
    usage = [str(action.metavar) for action in parser._actions if not action.option_strings]
    return CompletedCommand(name, help, options, re.findall(r"\w+", " ".join(usage)))


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.choices:
        return " ".join(map(str, action.choices))
    words = re.findall(r"\w+", str(action.metavar))
    return FILES if "FILE" in words or "DIR" in words else ANY


class PrintCompletion(argparse.Action):
    """The option that prints the completion script of its parser and ends the program."""

    def __init__(
        self, option_strings: Sequence[str], dest: str, words: Callable[[], Mapping[str, Sequence[str]]]
    ) -> None:
        super().__init__(option_strings, dest, choices=SHELLS, help="print a completion script and exit")
        self._words = words

    def __call__(self, parser: argparse.ArgumentParser, options: Any, values: Any, name: str | None = None) -> None:
        print(script(str(values), parser, self._words()), end="")
        parser.exit()


def script(shell: str, parser: argparse.ArgumentParser, words: Mapping[str, Sequence[str]]) -> str:
    """The completion script of a program. ``words``: what a word of a usage line stands for (KEY: ``name=``)."""
    program, commands = parser.prog, commands_of(parser)
    if shell == "fish":
        return _fish(program, commands, words)
    bash = _bash(program, commands, words)
    return bash + (_ZSH if shell == "zsh" else _COMPLETE).replace("@PROGRAM@", program)


def _words(command: CompletedCommand, words: Mapping[str, Sequence[str]]) -> list[str]:
    """What may stand in the positional arguments of a command, without settings and run ids."""
    found: list[str] = []
    for word in command.usage:
        if word in words:
            found += words[word] if word != KEY else []
        elif word.islower():
            found.append(word)
    return [*found, "last"] if {*command.usage} & RUN_WORDS else found


def _bash(program: str, commands: Sequence[CompletedCommand], words: Mapping[str, Sequence[str]]) -> str:
    named = [command for command in commands if command.name]
    after, positional = [], []
    for command in commands:
        for option in command.options:
            pattern = "|".join(f"{command.name}:{name}" for name in option.names)
            if option.value:
                after.append(f"    {pattern}) {_bash_value(program, option.value)} ;;")
        flags = " ".join(name for option in command.options for name in option.names)
        lines = [f'      -*) offer="{flags}" ;;']
        if KEY in command.usage:
            lines.append(f'      *=*) offer="$_{program}_values" ;;')
        plain = _words(command, words)
        parts = [shlex.quote(" ".join(plain))] + [f'" $_{program}_keys"'] * (KEY in command.usage)
        runs = f"; _{program}_runs" if {*command.usage} & RUN_WORDS else ""
        files = '; COMPREPLY+=( $(compgen -f -- "$cur") )' if FILE in command.usage else ""
        lines.append(f"      *) offer={''.join(parts)}{runs}{files} ;;")
        positional.append("\n".join([f'    "{command.name}") case "$cur" in', *lines, "    esac ;;"]))
    if named:
        positional.append(f'    "") offer="{" ".join(command.name for command in named)} --help --completion" ;;')
    body = {
        "PROGRAM": program,
        "KEYS": " ".join(words.get(KEY, ())),
        "VALUES": " ".join(words.get(VALUES, ())),
        "AFTER": "\n".join(after),
        "POSITIONAL": "\n".join(positional),
        "COMMAND": '*) [ -z "$command" ] && command=${COMP_WORDS[i]} ;;' if named else "*) ;;",
    }
    return re.sub(r"@([A-Z]+)@", lambda found: body[found[1]], _BASH)


def _bash_value(program: str, value: str) -> str:
    if value == ANY:
        return "return"
    if value == FILES:
        return 'COMPREPLY=( $(compgen -f -- "$cur") ); return'
    return f'COMPREPLY=( $(compgen -W "{value}" -- "$cur") ); return'


_BASH = """\
_@PROGRAM@_keys="@KEYS@"
_@PROGRAM@_values="@VALUES@"

_@PROGRAM@_runs() {
  local path
  for path in "$folder"/"$cur"*/run.json; do
    [ -e "$path" ] && path=${path%/run.json} && COMPREPLY+=( "${path##*/}" )
  done
}

_@PROGRAM@_complete() {
  local line=${COMP_LINE:0:$COMP_POINT} cur prev command="" offer="" folder=${ENGINE_RUNS:-runs} i=1 begin
  cur=${line##*[[:space:]]}
  prev=${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  while [ "$i" -lt "$COMP_CWORD" ]; do
    case "${COMP_WORDS[i]}" in
      --runs) i=$((i+1)); folder=${COMP_WORDS[i]} ;;
      -*) ;;
      @COMMAND@
    esac
    i=$((i+1))
  done
  case "$command:$prev" in
@AFTER@
    *) ;;
  esac
  case "$command" in
@POSITIONAL@
  esac
  COMPREPLY+=( $(compgen -W "$offer" -- "$cur") )
  case "${#COMPREPLY[@]}:${COMPREPLY[0]}" in
    1:*=) type compopt > /dev/null 2>&1 && compopt -o nospace ;;
  esac
  case "$COMP_WORDBREAKS:$cur" in
    *=*:*=*) # what stands before the last = is a word of its own for readline
      begin=${cur%"${cur##*=}"}
      COMPREPLY=( "${COMPREPLY[@]#"$begin"}" ) ;;
  esac
}

"""

_COMPLETE = "complete -o default -F _@PROGRAM@_complete @PROGRAM@\n"

_ZSH = """\
autoload -U +X bashcompinit && bashcompinit # for compgen

_@PROGRAM@_zsh() {
  local COMP_LINE="${(j: :)words[1,CURRENT-1]} $PREFIX" COMP_POINT COMP_CWORD=$((CURRENT-1)) COMP_WORDBREAKS=""
  local -a COMP_WORDS=("${words[@]}") COMPREPLY settings others
  COMP_POINT=${#COMP_LINE}
  () { emulate -L sh; _@PROGRAM@_complete }
  settings=(${(M)COMPREPLY:#*=}) others=(${COMPREPLY:#*=})
  compadd -S '' -a settings
  compadd -a others
}

compdef _@PROGRAM@_zsh @PROGRAM@
"""


def _fish(program: str, commands: Sequence[CompletedCommand], words: Mapping[str, Sequence[str]]) -> str:
    keys = [*words.get(KEY, ()), *words.get(VALUES, ())]
    lines = [
        f"set -g _{program}_keys {' '.join(map(_fish_quoted, keys))}",
        f"function _{program}_runs",
        "    set -l folder runs",
        "    set -q ENGINE_RUNS; and set folder $ENGINE_RUNS",
        "    for path in $folder/*/run.json",
        "        string replace -r '.*/([^/]+)/run.json$' '$1' $path",
        "    end",
        "end",
        f"complete -c {program} -f",
    ]
    for command in commands:
        first = "__fish_use_subcommand"
        when = f" -n '__fish_seen_subcommand_from {command.name}'" if command.name else ""
        if command.name:
            lines.append(f"complete -c {program} -n {first} -a {command.name} -d {_fish_quoted(command.help)}")
        for option in command.options:
            names = " ".join(f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in option.names)
            given = {"": "", ANY: " -x", FILES: " -r -F"}.get(option.value, f" -x -a {_fish_quoted(option.value)}")
            lines.append(f"complete -c {program}{when} {names}{given} -d {_fish_quoted(option.help)}")
        plain = _words(command, words)
        if plain:
            lines.append(f"complete -c {program}{when} -a {_fish_quoted(' '.join(plain))}")
        if KEY in command.usage:
            lines.append(f"complete -c {program}{when} -a '$_{program}_keys'")
        if {*command.usage} & RUN_WORDS:
            lines.append(f"complete -c {program}{when} -a '(_{program}_runs)'")
        if FILE in command.usage:
            lines.append(f"complete -c {program}{when} -F")
    return "\n".join(lines) + "\n"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
