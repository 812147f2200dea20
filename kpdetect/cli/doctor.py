"""`kpdetect doctor`."""

from __future__ import annotations

import typer


def command() -> None:
    """Say what is installed, what is broken and how to mend it."""
    from kpdetect.doctor import examine

    findings = examine()
    for finding in findings:
        typer.echo(str(finding))
    broken = sum(not finding.healthy for finding in findings)
    typer.echo(f"{broken} problem{'s' if broken != 1 else ''} found" if broken else "everything works")
    if broken:
        raise typer.Exit(2)
