"""The whole API on one screen: method, path, handler, name.

The name is shared by the handler, the service function, the SQL file and the test file. It is also the operation id in
the OpenAPI document, and the route's label in metrics and logs.
"""

from service.auth import handlers as auth
from service.balances import handlers as balances
from service.changes import handlers as changes
from service.currencies import handlers as currencies
from service.expenses import handlers as expenses
from service.history import handlers as history
from service.me import handlers as me
from service.members import handlers as members
from service.ops import handlers as ops
from service.settlements import handlers as settlements
from service.teams import handlers as teams
from service.web.endpoint import Handler

# Asked by machines every few seconds; EXPENSES_LOG_PROBES leaves them out of the log.
probes = frozenset({"ops.live", "ops.ready", "ops.metrics"})

Route = tuple[str, str, Handler, str]

routes: list[Route] = [
    ("POST", "/v1/auth/register", auth.register, "auth.register"),
    ("POST", "/v1/auth/login", auth.login, "auth.login"),
    ("POST", "/v1/auth/token", auth.token, "auth.token"),
    ("POST", "/v1/auth/refresh", auth.refresh, "auth.refresh"),
    ("POST", "/v1/auth/logout", auth.logout, "auth.logout"),
    ("GET", "/v1/me", me.get, "me.get"),
    ("PATCH", "/v1/me", me.update, "me.update"),
    ("GET", "/v1/me/balances", me.balances, "me.balances"),
    ("GET", "/v1/me/changes", changes.mine, "changes.mine"),
    ("GET", "/v1/currencies", currencies.page, "currencies.page"),
    ("POST", "/v1/teams", teams.create, "teams.create"),
    ("GET", "/v1/teams", teams.page, "teams.page"),
    ("GET", "/v1/teams/{team_id}", teams.get, "teams.get"),
    ("PATCH", "/v1/teams/{team_id}", teams.update, "teams.update"),
    ("DELETE", "/v1/teams/{team_id}", teams.delete, "teams.delete"),
    ("POST", "/v1/teams/{team_id}/restore", teams.restore, "teams.restore"),
    ("POST", "/v1/teams/{team_id}/members", members.create, "members.create"),
    ("GET", "/v1/teams/{team_id}/members", members.page, "members.page"),
    ("GET", "/v1/teams/{team_id}/members/{member_id}", members.get, "members.get"),
    ("PATCH", "/v1/teams/{team_id}/members/{member_id}", members.update, "members.update"),
    ("DELETE", "/v1/teams/{team_id}/members/{member_id}", members.delete, "members.delete"),
    ("POST", "/v1/teams/{team_id}/expenses", expenses.create, "expenses.create"),
    ("GET", "/v1/teams/{team_id}/expenses", expenses.page, "expenses.page"),
    ("GET", "/v1/teams/{team_id}/expenses/{expense_id}", expenses.get, "expenses.get"),
    ("PATCH", "/v1/teams/{team_id}/expenses/{expense_id}", expenses.update, "expenses.update"),
    ("DELETE", "/v1/teams/{team_id}/expenses/{expense_id}", expenses.delete, "expenses.delete"),
    ("POST", "/v1/teams/{team_id}/settlements", settlements.create, "settlements.create"),
    ("GET", "/v1/teams/{team_id}/settlements", settlements.page, "settlements.page"),
    ("GET", "/v1/teams/{team_id}/settlements/{settlement_id}", settlements.get, "settlements.get"),
    ("PATCH", "/v1/teams/{team_id}/settlements/{settlement_id}", settlements.update, "settlements.update"),
    ("DELETE", "/v1/teams/{team_id}/settlements/{settlement_id}", settlements.delete, "settlements.delete"),
    ("GET", "/v1/teams/{team_id}/settlement-plan", settlements.plan, "settlements.plan"),
    ("POST", "/v1/teams/{team_id}/settlement-plan/transfers", settlements.transfer, "settlements.transfer"),
    ("GET", "/v1/teams/{team_id}/balances", balances.get, "balances.get"),
    ("GET", "/v1/teams/{team_id}/debts", balances.debts, "balances.debts"),
    ("GET", "/v1/teams/{team_id}/balances/{member_id}", balances.explain, "balances.explain"),
    ("GET", "/v1/teams/{team_id}/statement", balances.statement, "balances.statement"),
    ("GET", "/v1/teams/{team_id}/changes", changes.page, "changes.page"),
    ("GET", "/v1/teams/{team_id}/expenses/{expense_id}/history", history.expense, "history.expense"),
    ("GET", "/v1/teams/{team_id}/settlements/{settlement_id}/history", history.settlement, "history.settlement"),
    ("GET", "/v1/teams/{team_id}/members/{member_id}/history", history.member, "history.member"),
    ("GET", "/v1/teams/{team_id}/history", history.team, "history.team"),
    ("GET", "/v1/teams/{team_id}/activity", history.activity, "history.activity"),
    ("PUT", "/v1/teams/{team_id}/activity/read", history.read, "history.read"),
    ("GET", "/", ops.home, "ops.home"),
    ("GET", "/livez", ops.live, "ops.live"),
    ("GET", "/readyz", ops.ready, "ops.ready"),
    ("GET", "/metrics", ops.metrics, "ops.metrics"),
    ("GET", "/openapi.json", ops.document, "ops.document"),
    ("GET", "/docs", ops.docs, "ops.docs"),
    ("GET", "/docs/{file}", ops.docs_file, "ops.docs_file"),
    ("GET", "/problems/{slug}", ops.problem, "ops.problem"),
]
