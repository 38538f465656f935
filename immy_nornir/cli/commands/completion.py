"""`immy completion SHELL`: the script that lets a shell complete commands, options and names of the fleet."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, ShellComplete, add_completion_class, get_completion_class

from immy_nornir.cli.door import say

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "_IMMY_COMPLETE"
SHELLS = ("bash", "zsh", "fish", "powershell")
_POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s, %(prog_name)s.exe -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = foreach ($element in $commandAst.CommandElements) {
        if ($element.Extent.EndOffset -gt $cursorPosition) { continue }
        if ($element.Extent.EndOffset -eq $cursorPosition -and $wordToComplete) { continue }
        $isText = $element -is [Management.Automation.Language.StringConstantExpressionAst]
        if ($isText) { $element.Value } else { $element.Extent.Text }
    }
    $env:%(complete_var)s = 'powershell_complete'
    $env:COMP_WORDS = $words -join "`n"
    $env:COMP_CWORD = $wordToComplete
    try {
        & $commandAst.CommandElements[0].Extent.Text | ForEach-Object {
            $kind, $value, $help = $_ -split "`t", 3
            $text = if ($value -match "[\\s'``,;(){}|&<>@#$]") { "'" + $value.Replace("'", "''") + "'" } else { $value }
            if ($kind -eq 'plain') {
                New-Object Management.Automation.CompletionResult $text, $value, 'ParameterValue', $help
            } else { [Management.Automation.CompletionCompleters]::CompleteFilename($wordToComplete) }
        }
    } finally { Remove-Item env:%(complete_var)s, env:COMP_WORDS, env:COMP_CWORD -ErrorAction SilentlyContinue }
}
"""


class PowerShellComplete(ShellComplete):
    """Completion for Windows PowerShell and PowerShell 7, which click has none for."""

    name = "powershell"
    source_template = _POWERSHELL

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one at the cursor, and that one."""
        words = os.environ.get("COMP_WORDS", "").split("\n")
        return [one for one in words[1:] if one], os.environ.get("COMP_CWORD", "")

    def format_completion(self, item: CompletionItem) -> str:
        """A line: kind, value, help."""
        help_ = " ".join((item.help or item.value).split()) or item.value
        return f"{item.type}\t{item.value}\t{help_}"


def prepare(environment: Mapping[str, str]) -> None:
    """Make PowerShell one of click's shells, where a completion is asked for."""
    if VARIABLE in environment:
        add_completion_class(PowerShellComplete)


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that lets a shell complete commands, options, computers, items, sessions.

    bash: `immy completion bash > ~/.local/share/bash-completion/completions/immy`.
    zsh: `immy completion zsh > DIR/_immy`, DIR being in your `fpath` before `compinit`.
    fish: `immy completion fish > ~/.config/fish/completions/immy.fish`.
    PowerShell: `immy completion powershell | Out-String | Invoke-Expression`, as a line of your `$PROFILE`.
    """
    add_completion_class(PowerShellComplete)
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - all of SHELLS are known
    made = kind(ctx.find_root().command, {}, "immy", VARIABLE)
    say(made.source_template % made.source_vars())
