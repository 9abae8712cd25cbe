"""Members: the parties in a team's ledger.

A member is an account with a role (owner, admin, member, viewer), or a guest who has only a name. Who leaves becomes a
former member: the past stays as it was, and an account that is added again is the same member as before.
"""

members_max = 200
