"""Members: the parties in a team's ledger.

A member is an account with a role (owner, admin, member, viewer), or a guest, who has only a name. Whoever leaves
becomes a former member: past expenses stay unchanged, and an account that is added again is the same member as before.
"""

members_max = 200
