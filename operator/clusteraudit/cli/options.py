"""Options that several commands share."""

from typing import Annotated

import typer

Files = Annotated[
    list[str],
    typer.Option(
        "-f",
        "--filename",
        help="File, folder or - for standard input; may repeat. Without it: the live cluster.",
        show_default=False,
    ),
]
Kubeconfig = Annotated[
    str | None, typer.Option(help="Kubeconfig to use.", show_default=False, envvar="KUBECONFIG")
]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig.", show_default=False)]
As = Annotated[str | None, typer.Option("--as", help="User to impersonate.", show_default=False)]
Timeout = Annotated[int, typer.Option(help="Seconds to wait for the API server.", min=1)]
Now = Annotated[
    str | None,
    typer.Option(help="Moment at which to ask, in RFC 3339.", show_default=False),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more on stderr.")]
