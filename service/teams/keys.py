"""The app's key for how long deleted teams are kept."""

from aiohttp import web

# In seconds, from the deletion.
DELETED_TEAMS_KEPT: web.AppKey[float] = web.AppKey("deleted_teams_kept", float)
