"""One self-contained page for an evaluation: figures, curves, view matrices, best and worst pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import jinja2

from gait.evaluation.charts import charts, least, shade
from gait.evaluation.pictures import best_and_worst
from gait.evaluation.run import Outcome
from gait.evaluation.trials import Walks
from stream.errors import ResourceError

TEMPLATES: Final = Path(__file__).parent / "templates"


def write_report(
    outcome: Outcome,
    walks: Walks,
    path: Path,
    lines: Sequence[tuple[str, Sequence[str]]],
    made_by: Mapping[str, str],
) -> None:
    """Render to ``path``; ``lines`` are the table of figures, a name and one text per group.

    Raises ResourceError where the page cannot be written.
    """
    evaluation = outcome.evaluation
    matrices = [group.matrix for group in evaluation.groups if group.matrix is not None]
    best, worst = best_and_worst(walks, outcome.studied, outcome.metric)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("evaluation.html.j2").render(
        evaluation=evaluation,
        lines=lines,
        charts=charts(evaluation.groups),
        shade=shade,
        low=least(matrices),
        best=best,
        worst=worst,
        made_by=made_by,
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ResourceError(
            f"the report cannot be written ({error.strerror})",
            where=str(path),
            fix="Free some disk space or name another file with --out",
        ) from error
