"""The threats in people's words: what `--help` says, and the tables' titles."""

THREATS = {
    "search": "Others have your clean photos; a protected one is searched for among them.",
    "verification": "Somebody compares a protected photo with a clean one: the same person?",
    "enrolment": "Others have your protected photos; a camera sees your face, or a clean photo.",
    "both": "Others have your protected photos; another protected one is searched for.",
    "classifier": "Somebody trains on clean photos of 20 people, and is shown a protected one.",
    "classifier-enrolled": "The same, but trained on your protected photos, and shown a clean one.",
    "adaptive": "Knows this tool: trained on photos that it protected of other people, too.",
    "adaptive-self": "Knows this tool: trained on protected copies of your clean photos, too.",
}


def threats_help() -> str:
    """A table of the threats, one a line."""
    width = max(map(len, THREATS))
    lines = (f"  {name:<{width}}  {words}" for name, words in THREATS.items())
    return "\n".join(["what --threats asks:", *lines])
