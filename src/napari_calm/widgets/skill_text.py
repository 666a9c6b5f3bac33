"""How good a forecast was, in a sentence."""


def skill_in_words(skill, horizon_frames: int) -> str:
    """Say how the forecast compares with the simple methods; why not, where it cannot."""
    if skill is None:
        return "Past the end of the recording: there is nothing yet to compare with."
    lines = [skill.verdict()]
    for method in skill.methods[1:]:
        lines.append(f"{skill.skill(method):+.2f} against {method}")
    explained = "1 is perfect, 0 no better; AR is an autoregression"
    text = f"{lines[0]} Skill: {', '.join(lines[1:])} ({explained})."
    # NaN, where no samples were drawn, is not equal to itself.
    if skill.coverage_90 == skill.coverage_90:
        text += f" {skill.coverage_90:.0%} of what happened lies in the 90 % band."
    if skill.scored_frames < horizon_frames:
        text = f"Scored on {skill.scored_frames} of {horizon_frames} frames only. {text}"
    return text
