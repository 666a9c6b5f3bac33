"""How good forecasts are, in words and as a table."""

from collections.abc import Mapping


def skill_in_words(skill, horizon_frames: int, kind: str) -> str:
    """Say how the forecast compares with the simple methods; why not, where it cannot."""
    if skill is None:
        return (
            f"{kind.capitalize()} forecast. Past the end of the recording: there is nothing "
            "yet to compare with."
        )
    compared = [f"{skill.skill(method):+.2f} against {method}" for method in skill.methods[1:]]
    explained = "1 is perfect, 0 no better; AR is an autoregression"
    text = f"{skill.verdict()} Skill: {', '.join(compared)} ({explained})."
    # NaN, where the forecast has no bands, is not equal to itself.
    if skill.coverage_90 == skill.coverage_90:
        text += f" {skill.coverage_90:.0%} of what happened lies in the 90 % band."
    if skill.scored_frames < horizon_frames:
        text = f"Scored on {skill.scored_frames} of {horizon_frames} frames only. {text}"
    return f"{kind.capitalize()} forecast. {text}"


def skill_table_html(skills: Mapping[str, object]) -> str:
    """Lay out the errors of each kind of model, then of the simple methods, best one bold.

    Parameters
    ----------
    skills : mapping of str to ForecastSkill
        By kind of model (zero-shot, adapted), scored on the same frames.
    """
    errors: dict[str, tuple[float, float]] = {}
    for kind, skill in skills.items():
        for method in skill.methods:
            name = f"CalM, {kind}" if method == skill.methods[0] else method
            errors[name] = (skill.mean_mse(method), skill.skill("copy last", method))
    # The kinds first, whatever the order in which they were scored.
    names = sorted(errors, key=lambda name: not name.startswith("CalM, "))
    best = min(errors, key=lambda name: errors[name][0])
    rows = [
        "<tr><th align='left'>Forecast</th><th align='right'>Error</th>"
        "<th align='right'>Skill</th></tr>"
    ]
    for name in names:
        error, gain = errors[name]
        bold = "font-weight:bold" if name == best else ""
        rows.append(
            f"<tr style='{bold}'><td>{name}</td><td align='right'>{error:.3f}</td>"
            f"<td align='right'>{gain:+.2f}</td></tr>"
        )
    return f"<table cellpadding='2' width='100%'>{''.join(rows)}</table>"
