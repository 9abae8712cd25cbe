"""Accounts and sessions.

An account has an e-mail address, a name and a password. A session is one log-in: it has a short-lived access token for
requests and a refresh token that is exchanged for the next pair. Logging out ends the session and both its tokens.

An address has one normal form: an ASCII local part and the domain as in DNS (IDNA 2008, UTS 46), all in lower case.
Other local parts are refused rather than converted, so two people's addresses never become the same.
"""
