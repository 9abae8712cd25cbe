"""History: what was written to a team, version by version, with what changed and a sentence that a person can read.

Every write leaves a revision with the row before and after it. Here these are compared as the API shows them
(differences.py) and told in words (sentences.py). How far a member has read the activity is kept with the member.
"""

# What the first part of an action writes, as it is called in the singular.
subjects = {"expenses": "expense", "settlements": "settlement", "members": "member", "teams": "team"}

# The actions that the statements in sql/ write; a test keeps the two in step.
actions = (*(f"{feature}.{verb}" for feature in subjects for verb in ("create", "update", "delete")), "teams.restore")
