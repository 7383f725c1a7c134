"""One token's life as a service in Python sees it that uses Authlib:

    python call.py BASE_URL CLIENT_ID CLIENT_SECRET METHOD TOKEN

prints a line of JSON: introspection before, the status of the revocation, introspection after, and the
status where the secret is wrong.
"""

import json
import sys

from authlib.integrations.requests_client import OAuth2Session

base, client_id, secret, method, token = sys.argv[1:]


def session(secret):
    return OAuth2Session(
        client_id,
        secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
    )


def introspect(client):
    return client.introspect_token(base + "/oauth2/introspect", token=token, token_type_hint="access_token")


good = session(secret)
before = introspect(good).json()
revoked = good.revoke_token(base + "/oauth2/revoke", token=token, token_type_hint="access_token")
after = introspect(good).json()
wrong = introspect(session("ntc_wrong"))
print(json.dumps([before, revoked.status_code, after, wrong.status_code, wrong.json()["error"]]))
